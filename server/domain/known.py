"""The patterns that come with the program: troubles that every production of this field meets."""

from __future__ import annotations

from server.domain.patterns import BLAME, ELSEWHERE, MEMORY, Pattern

BUILT_IN: tuple[Pattern, ...] = (
    Pattern(
        "memory-limit",
        r"^\[agent\] memory$",
        "memory",
        MEMORY,
        rank=100,
        note="ended beyond its limit of memory",
    ),
    Pattern(
        "out-of-memory",
        r"std::bad_alloc|\bMemoryError\b|(?i:\bout of memory\b|cannot allocate memory|oom-kill)",
        "memory",
        MEMORY,
        rank=110,
        note="C++, Python, the kernel",
    ),
    Pattern(
        "disk-limit",
        r"^\[agent\] disk$",
        "disk",
        ELSEWHERE,
        most=6,
        rank=120,
        note="ended beyond its limit of disk, or the machine's",
    ),
    Pattern(
        "disk-full",
        r"No space left on device|Disk quota exceeded|ENOSPC|Read-only file system",
        "disk",
        BLAME,
        rank=130,
        note="the machine's disk",
    ),
    Pattern(
        "cvmfs-missing",
        r"/cvmfs/\S*:? (No such file or directory|Input/output error)"
        r"|Transport endpoint is not connected|(?i:fail\w* to mount \S*cvmfs|cvmfs\S* not mounted)",
        "environment",
        BLAME,
        rank=200,
        note="CVMFS is not there, or its cache is broken",
    ),
    Pattern(
        "library-missing",
        r"error while loading shared libraries|GLIBC(XX)?_[0-9.]+' not found|symbol lookup error"
        r"|\b(ImportError|ModuleNotFoundError)\b|cannot be imported by",
        "environment",
        BLAME,
        rank=210,
        note="a shared library, its version, a Python module",
    ),
    Pattern(
        "illegal-instruction",
        r"(?i:illegal instruction)|\bSIGILL\b",
        "environment",
        BLAME,
        rank=220,
        note="built for a newer processor",
    ),
    Pattern(
        "network",
        r"\[FATAL\] (Connection error|Socket|TLS|Auth failed)|Operation expired"
        r"|Connection (refused|reset by peer|timed out)|Network is unreachable"
        r"|Name or service not known|Temporary failure in name resolution",
        "network",
        ELSEWHERE,
        most=8,
        rank=300,
        note="XRootD, sockets, names",
    ),
    Pattern(
        "input-missing",
        r"\[ERROR\] (Server responded with an error: )?\[30(05|10|11)\]"
        r"|Error in <T\w*File::\w+>|(?i:can(not|'t| not) open (the )?(input|file))"
        r"|file \S+ (does not exist|is truncated)|Unable to open \S+ for reading",
        "input",
        ELSEWHERE,
        most=6,
        rank=310,
        note="XRootD's not found and not authorised, ROOT files",
    ),
    Pattern(
        "pythia-abort",
        r"PYTHIA Abort|PYTHIA Error in Pythia::(init|next|check)",
        "payload",
        ELSEWHERE,
        rank=400,
        note="Pythia 8 gave up",
    ),
    Pattern(
        "segfault",
        r"(?i:segmentation (fault|violation))|\bSIGSEGV\b|\*\*\* Break \*\*\*|(?i:bus error)",
        "payload",
        ELSEWHERE,
        rank=410,
        note="also as ROOT tells it",
    ),
    Pattern(
        "aborted",
        r"Assertion .* failed|terminate called after throwing|\bSIGABRT\b|^Fatal in <"
        r"|(?i:floating point exception)|G4Exception : \S+",
        "payload",
        ELSEWHERE,
        rank=420,
        note="assertions, C++ exceptions, ROOT, Geant4",
    ),
    Pattern(
        "limits",
        r"^\[agent\] (cpu|processes|hung|flooded)$",
        "limits",
        ELSEWHERE,
        most=6,
        rank=430,
        note="ended beyond its limits of time, silence, processes, log",
    ),
    Pattern(
        "python",
        r"^Traceback \(most recent call last\):",
        "payload",
        ELSEWHERE,
        rank=900,
        note="any other exception of Python",
    ),
    Pattern(
        "output",
        r"^\[agent\] (output-missing|lied|garbage)$",
        "payload",
        ELSEWHERE,
        rank=910,
        note="it did not keep to the event pipe",
    ),
)
"""In the order in which they are tried; an operator's row of the same name stands above one."""
