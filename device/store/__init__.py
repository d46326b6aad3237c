"""Slides, fields, cells and photographs, kept in one data folder."""

from device.store.database import DamagedStoreError
from device.store.records import CellRecord, Circumstances, FieldRecord, SlideRecord
from device.store.retention import Retention
from device.store.store import Store

__all__ = ["CellRecord", "Circumstances", "DamagedStoreError", "FieldRecord", "Retention", "SlideRecord", "Store"]
