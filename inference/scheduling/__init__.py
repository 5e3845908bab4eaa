"""Who is served by which model, and when one model makes room for another: decisions alone, without a clock, a process or a disk."""
