"""What the operating system says of a file, as a sentence for the model; mapped here and nowhere else."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager

from mcp_servers.errors import Refusal

_SENTENCES = {
    errno.ENOENT: "There is no {place}. Look with list_files.",
    errno.ELOOP: "{place} is a link, or lies behind one. Links are not followed: give the path of the file itself.",
    errno.ENOTDIR: "{place} lies behind something that is no folder, or behind a link. Look with list_files.",
    errno.EISDIR: "{place} is a folder. Name a file.",
    errno.EEXIST: "{place} is there already. Choose another name.",
    errno.ENOTEMPTY: "{place} is not empty. Look with list_files.",
    errno.ENAMETOOLONG: "{place} is too long a name for this disk. Choose a shorter one.",
    errno.EACCES: "{place} may not be touched: the system does not allow it. The person can change that.",
    errno.EPERM: "{place} may not be touched: the system does not allow it. The person can change that.",
    errno.EROFS: "{place} lies on a disk that only reads. Choose another place.",
    errno.ENOSPC: "The disk is full. The person must make room.",
    errno.EDQUOT: "The disk is full. The person must make room.",
    errno.EXDEV: "{place} lies on another disk than where it should go. Create it there instead.",
    errno.EINVAL: "{place} is no name that this disk takes. Choose another.",
    errno.EILSEQ: "{place} is no name that this disk takes. Choose another.",
    errno.ENXIO: "{place} is neither a file nor a folder: a device, a pipe or a socket. Choose another.",
    errno.EMFILE: "Too many files are open. Try again.",
    errno.ENFILE: "Too many files are open. Try again.",
}


@contextmanager
def told(place: str) -> Generator[None]:
    """Turn what the system refuses into a `Refusal` that names the place.

    Raises:
        Refusal: for an `OSError` that says something of the file; any other goes on as it is.
    """
    try:
        yield
    except OSError as error:
        sentence = _SENTENCES.get(error.errno or 0)
        if sentence is None:
            raise
        raise Refusal(sentence.format(place=place)) from error
