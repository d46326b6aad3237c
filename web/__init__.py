"""The viewer and the API in a browser: a process of its own, which reads the store and asks the running device."""

import sys
from importlib import import_module
from threading import RLock
from types import ModuleType
from typing import Any


class _Deferred(ModuleType):
    """OpenCV, loaded with its first use: pages and the live picture, which the device draws, need none of it.

    `smearscope bench web` measured 75 MB resident, and 91 with an ordinary import, where 90 are allowed. 22 modules
    that the web imports for records, settings and kinds of cameras import OpenCV themselves, and each would have to
    do it inside its functions. `importlib.util.LazyLoader` is not safe between threads in Python 3.11.2 (gh-114763).
    """

    _lock = RLock()

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            return getattr(import_module(self.__name__), name)


sys.modules.setdefault("cv2", _Deferred("cv2"))
