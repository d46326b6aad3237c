"""The viewer and the API in a browser: a process of its own, which reads the store and asks the running device."""

import sys
from importlib import import_module
from threading import RLock
from types import ModuleType
from typing import Any


class _Deferred(ModuleType):
    """OpenCV, loaded with its first use: its 16 MB are not needed to serve a live picture, which the device draws."""

    _lock = RLock()

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            return getattr(import_module(self.__name__), name)


sys.modules.setdefault("cv2", _Deferred("cv2"))
