"""An NSS database that trusts one certificate, as readers of PDF on Linux keep theirs."""

from __future__ import annotations

import ctypes
import ctypes.util
from pathlib import Path


class _Item(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("data", ctypes.c_char_p), ("len", ctypes.c_uint)]


class _Trust(ctypes.Structure):
    _fields_ = [
        ("ssl", ctypes.c_uint),
        ("email", ctypes.c_uint),
        ("objects", ctypes.c_uint),
    ]


_ANCHOR = 1 << 3 | 1 << 4  # CERTDB_VALID_CA, CERTDB_TRUSTED_CA of certt.h


def trust(directory: Path, certificate: bytes) -> bool:
    """Make the database and trust a DER certificate as an anchor; False where the library is not here."""
    try:
        nss = ctypes.CDLL(ctypes.util.find_library("nss3") or "libnss3.so")
        smime = ctypes.CDLL(ctypes.util.find_library("smime3") or "libsmime3.so")
    except OSError:
        return False
    for name in ("PK11_GetInternalKeySlot", "CERT_GetDefaultCertDB"):
        getattr(nss, name).restype = ctypes.c_void_p
    decode = smime.CERT_DecodeCertFromPackage
    decode.restype, decode.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
    if nss.NSS_InitReadWrite(f"sql:{directory}".encode()) != 0:
        return False
    try:
        slot = ctypes.c_void_p(nss.PK11_GetInternalKeySlot())
        nss.PK11_InitPin(slot, None, b"")
        made = ctypes.c_void_p(decode(certificate, len(certificate)))
        if not made.value or nss.PK11_ImportCert(slot, made, ctypes.c_ulong(0), b"documents", 0) != 0:
            return False
        wanted = _Trust(_ANCHOR, _ANCHOR, _ANCHOR)
        database = ctypes.c_void_p(nss.CERT_GetDefaultCertDB())
        return bool(nss.CERT_ChangeCertTrust(database, made, ctypes.byref(wanted)) == 0)
    finally:
        nss.NSS_Shutdown()
