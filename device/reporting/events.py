"""Events of the audit trail as lines for a terminal."""

from device.reporting.tables import local_time
from device.store.review.audit_trail import Event


def event_line(event: Event) -> str:
    """Say who did what to which record, when, and from what to what."""
    who = event.operator or "(nobody named)"
    return f"{local_time(event.wall_time_s)}  {who}  {event.action}  {change_text(event)}".rstrip()


def change_text(event: Event) -> str:
    """Say which record an event changed, and from what to what."""
    if event.number is not None:
        what = f"cell {event.field_id}.{event.number}: "
    elif event.field_id is not None:
        what = f"field {event.field_id}: "
    else:
        what = ""
    if event.old is not None or event.new is not None:
        what += f"{event.old or 'nothing'} -> {event.new or 'nothing'}"
    return what + (f" ({event.reason})" if event.reason else "")
