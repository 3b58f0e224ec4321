"""Calendars with a parser that others wrote: what we write it reads, and what it writes we read."""

import contextlib
import datetime
import json
import pathlib
import sys
import unittest
import urllib.request
import zoneinfo

import icalendar

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import deskbell  # noqa: E402 (the folder above must be on the path first)

PATIENCE = 20
OSLO = zoneinfo.ZoneInfo("Europe/Oslo")
DAY = datetime.timedelta(days=1)


def changes():
    """The next two days on which the clocks of Oslo change, and by how much."""
    found, day = [], datetime.datetime.now(OSLO).replace(hour=12, minute=0, second=0, microsecond=0) + 2 * DAY
    while len(found) < 2:
        step = (day + DAY).utcoffset() - day.utcoffset()
        if step:
            found.append(((day + DAY).date(), step))
        day += DAY
    return found


def millis(moment):
    """Milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


class Calendars(unittest.TestCase):
    """One server for all tests."""

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.address = cls.stack.enter_context(deskbell.server(""))
        cls.ask("PUT", "/v1/resources/dr-7", {"time_zone": "Europe/Oslo", "capacity": 2})

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    @classmethod
    def ask(cls, method, path, body=None, kind="application/json"):
        """Asks as a backend; gives the answer's bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(
            f"http://{cls.address}{path}", data, method=method,
            headers={"Authorization": f"Bearer {deskbell.SECRET}", "Content-Type": kind})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.read()

    def test_bookings_are_at_nine_on_the_wall_on_both_sides_of_every_change(self):
        nine = datetime.time(9, tzinfo=OSLO)
        starts = [datetime.datetime.combine(date + side * DAY, nine) for date, _ in changes() for side in (-1, 0, 1)]
        for start in starts:
            claim = {"resource": "dr-7", "start": millis(start), "end": millis(start) + 3_600_000}
            self.ask("POST", "/v1/bookings", {"claims": [claim], "holder": "ann, \"the\" first; of them\\"})
        link = json.loads(self.ask("GET", "/v1/calendars?resource=dr-7"))
        calendar = icalendar.Calendar.from_ical(self.ask("GET", link["path"]))
        events = calendar.walk("VEVENT")
        self.assertEqual([event["DTSTART"].dt for event in events], starts)
        for event in events:
            local = event["DTSTART"].dt.astimezone(OSLO)
            self.assertEqual((local.hour, local.minute), (9, 0))
            self.assertEqual(event["DTEND"].dt - event["DTSTART"].dt, datetime.timedelta(hours=1))
            self.assertEqual((str(event["STATUS"]), str(event["SUMMARY"])), ("CONFIRMED", "Booked"))
        self.assertEqual(len({str(event["UID"]) for event in events}), len(starts))
        self.assertEqual(calendar.errors, [])

    def test_a_users_calendar_has_the_own_bookings_on_both_sides_of_every_change_and_follows_them(self):
        nine = datetime.time(9, tzinfo=OSLO)
        starts = [datetime.datetime.combine(date + side * DAY, nine) for date, _ in changes() for side in (-1, 0, 1)]
        self.ask("PUT", "/v1/resources/room", {"time_zone": "Europe/Oslo", "capacity": 2})
        booked = []
        for start in starts:
            for holder in ("7", "8"):
                claim = {"resource": "room", "start": millis(start), "end": millis(start) + 3_600_000}
                said = json.loads(self.ask("POST", "/v1/bookings", {"claims": [claim], "holder": holder}))
                booked.append(said["reservation"]["id"])
        link = json.loads(self.ask("GET", "/v1/calendars?user=7"))

        def shown():
            calendar = icalendar.Calendar.from_ical(self.ask("GET", link["path"]))
            self.assertEqual(calendar.errors, [])
            return {event["DTSTART"].dt.astimezone(OSLO): event for event in calendar.walk("VEVENT")}
        events = shown()
        self.assertEqual(sorted(events), starts)
        self.assertEqual({str(event["SUMMARY"]) for event in events.values()}, {"room"})
        self.ask("POST", f"/v1/bookings/{booked[0]}/cancel", {})
        again = shown()[starts[0]]
        self.assertEqual((str(again["STATUS"]), str(again["UID"])), ("CANCELLED", str(events[starts[0]]["UID"])))
        self.assertGreater(again["SEQUENCE"], events[starts[0]]["SEQUENCE"])

    def test_a_series_that_it_writes_blocks_the_same_hours_over_both_changes(self):
        first = (datetime.datetime.now(OSLO) + DAY).replace(hour=14, minute=30, second=0, microsecond=0)
        event = icalendar.Event()
        event.add("uid", "series")
        event.add("summary", "Folded, escaped; and long: " + "é" * 100)
        event.add("dtstart", first)
        event.add("dtend", first + datetime.timedelta(minutes=45))
        event.add("rrule", {"freq": "daily", "count": 360})
        event.add("exdate", [first + 5 * DAY])
        calendar = icalendar.Calendar()
        calendar.add("prodid", "-//test//test//")
        calendar.add("version", "2.0")
        calendar.add_component(event)
        calendar.add_missing_timezones()
        self.ask("PUT", "/v1/resources/dr-7/busy?source=phone", calendar.to_ical(), "text/calendar")
        shown = json.loads(self.ask("GET", "/v1/resources/dr-7/busy?source=phone"))
        # Adding days to a local time keeps the time on the wall.
        expected = [millis(first + n * DAY) for n in range(360) if n != 5]
        self.assertEqual([span["start"] for span in shown["busy"]], expected)
        self.assertEqual({span["end"] - span["start"] for span in shown["busy"]}, {2_700_000})


if __name__ == "__main__":
    unittest.main()
