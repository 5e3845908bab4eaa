/* NVIDIA's driver library as far as the engine asks it: one card of 12 GiB, 3 GiB of it held by process 77. With -DOLD: an early driver,
   which lists no processes in the form that the binding wants. */
#include <string.h>

typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned int pid; unsigned long long used; unsigned int gpu_instance, compute_instance; } process;
static const unsigned long long GIB = 1ULL << 30;

int nvmlInitWithFlags(unsigned int flags) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return "some error"; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle) { *handle = (void *)1; return index ? 2 : 0; }
int nvmlDeviceGetName(void *handle, char *name, unsigned int size) { strncpy(name, "Stub", size); return 0; }
int nvmlDeviceGetUUID(void *handle, char *uuid, unsigned int size) { strncpy(uuid, "GPU-stub", size); return 0; }
int nvmlDeviceGetMemoryInfo(void *handle, memory *found) {
    found->total = 12 * GIB; found->free = 9 * GIB; found->used = 3 * GIB;
    return 0;
}
#ifndef OLD
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned int *count, process *found) {
    if (*count == 0) { *count = 1; return 7; }
    *count = 1;
    found[0].pid = 77; found[0].used = 3 * GIB; found[0].gpu_instance = found[0].compute_instance = ~0u;
    return 0;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned int *count, process *found) { *count = 0; return 0; }
#endif
