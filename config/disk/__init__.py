"""What every process needs of a disk: files written whole, locks across processes, logs kept short, the words for a full one."""
