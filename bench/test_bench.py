"""Tests of the judging: a wrong verdict would be worse than none. Run with `python3 -m unittest` in this folder."""

import copy
import unittest

import run
import scenarios
import servers
import soak
import stored

REPORT = {
    "options": {"connections": 10, "outstanding": 1},
    "idle": {"cpu_s": 0.5, "resident_before": 1000, "resident_after": 3000, "steps": []},
    "published": {"deliveries_per_cpu_s": 100.0, "deliveries_per_s": 90.0, "cpu_us_per_event": 2.0, "stalls": 0},
    "latency": {"p50_ms": 1.0, "p99_ms": 2.0},
    "checks": {"lost": 0, "duplicated": 0, "misrouted": 0, "disconnects": 0, "reordered": 0},
}


def report(**published):
    made = copy.deepcopy(REPORT)
    made["published"].update(published)
    return made


def scenario(name):
    return next(found for found in scenarios.all_scenarios(quick=True) if found.name == name)


class Judging(unittest.TestCase):
    def test_the_median_of_the_rounds_own_ratios_decides(self):
        # The machine is twice as fast in the second round; only the ratio inside a round says anything.
        rounds = [{"limit": report(deliveries_per_cpu_s=limit), "deskbell": report(deliveries_per_cpu_s=deskbell)}
                  for limit, deskbell in [(100.0, 95.0), (200.0, 188.0), (100.0, 50.0)]]
        [found] = scenarios.judge(scenario("fanout-1k"), rounds)
        self.assertEqual((found["median"], found["least"], found["most"], found["met"]), (0.94, 0.5, 0.95, True))
        [found] = scenarios.judge(scenario("fanout-1k"), rounds[2:])
        self.assertFalse(found["met"])

    def test_memory_is_per_connection_and_bounded_above(self):
        [found] = scenarios.judge(scenario("idle-memory"), [{"plain": report()}])
        self.assertEqual((found["median"], found["met"]), (200, True))
        heavy = report()
        heavy["idle"]["resident_after"] = 1000 + 10 * 1025
        [found] = scenarios.judge(scenario("idle-memory"), [{"plain": heavy}])
        self.assertFalse(found["met"])

    def test_connecting_is_flat_when_late_connections_cost_what_early_ones_do(self):
        def with_costs(late):
            steps, spent = [], 0.0
            for thousand in range(1, 19):
                spent += late if thousand > 13 else 1.0
                steps.append({"connections": thousand * 1000, "cpu_s": spent})
            made = report()
            made["idle"]["steps"] = steps
            return made

        def judged(deskbell, limit):
            rounds = [{"deskbell": with_costs(deskbell), "limit": with_costs(limit)}]
            [found] = [one for one in scenarios.judge(scenario("connect"), rounds) if one["text"].startswith("growth")]
            return found
        self.assertAlmostEqual(judged(1.5, 1.0)["median"], 1.5)
        self.assertFalse(judged(1.5, 1.0)["met"])
        self.assertTrue(judged(1.5, 1.5)["met"])

    def test_a_fast_run_that_lost_or_mixed_up_events_is_not_clean(self):
        self.assertEqual(scenarios.unclean("deskbell", report()), [])
        for name in ("lost", "duplicated", "misrouted", "disconnects", "reordered"):
            wrong = report()
            wrong["checks"][name] = 3
            self.assertEqual(scenarios.unclean("deskbell", wrong), [f"deskbell: 3 {name}"])
        overtaken = report()
        overtaken["checks"]["reordered"], overtaken["options"]["outstanding"] = 3, 16
        self.assertEqual(scenarios.unclean("deskbell", overtaken), [])

    def test_faults_and_misses_stand_in_the_table(self):
        result = {"name": "x", "faults": ["deskbell: 1 lost"], "rounds": [], "targets": [
            {"text": "ratio", "bound": ">= 1", "median": 0.5, "least": 0.5, "most": 0.5, "met": False}]}
        self.assertEqual(run.table([result]).count("**no**"), 2)

    def test_names_are_unique_and_every_target_can_be_computed_or_is_measured_apart(self):
        names = [found.name for found in scenarios.all_scenarios(quick=False)]
        self.assertEqual(len(names), len(set(names)))
        for found in scenarios.all_scenarios(quick=False):
            if found.name not in ("appointease", "appointease-flood", "connect", "inbox", "instructions", "ledger", "ledger-past", "postgres",
                                  "pusher-presence", "socketio-polling", "watchers-1k"):
                scenarios.judge(found, [{label: report() for label in found.runs}])

    def test_a_slow_page_or_one_that_errs_is_missed(self):
        def missed(lock, errors):
            page = {kind: {"p99_ms": 1.0} for kind in ("ping", "availability", "appointments")}
            made = {**report(), "page": {**page, "lock": {"p99_ms": lock}, "errors": errors}}
            return [target["text"] for target in scenarios.judge(scenario("appointease"), [{"deskbell": made}])
                    if not target["met"]]
        self.assertEqual((missed(9.9, 0), missed(10.1, 1)), ([], ["p99 in ms of a lock", "errors"]))

    def test_a_slow_look_and_a_dear_notification_are_missed_and_their_opposites_are_not(self):
        def judged(read_all, notified):
            inbox = dict.fromkeys(("page_ms", "deep_page_ms", "count_ms", "none_unread_ms"), 1.0)
            spent = {"notified": notified, "published": 2.0, "published in batches": 0.5}
            made = {**report(), "inbox": {**inbox, "read_all_ms": read_all}, "cpu_s": spent}
            return {target["text"]: target for target in scenarios.judge(scenario("inbox"), [{"deskbell": made}])}
        good, bad = judged(9.0, 1.9), judged(11.0, 2.1)
        self.assertTrue(all(target["met"] for target in good.values()))
        self.assertEqual([text for text, target in bad.items() if not target["met"]],
                         ["ms for reading all of the inbox", "CPU, notifying everybody / as many publishes"])
        self.assertEqual(good["CPU, notifying everybody / as many publishes, 1,000 in a request"]["median"], 3.8)

    def test_the_ledgers_lines_become_figures_and_a_missing_one_is_a_failure(self):
        lines = [
            "hold + release, one per transaction      537/s  p50  61739 us  p99 100758 us",
            "bare INSERT, group commit,  32         36000/s  p50    534 us  p99   7984 us",
            "hold + release,  32                     9000/s  p50   2365 us  p99  14905 us",
            "    0.25 of the bare rate, 16.8 times one per transaction",
            "bare INSERT, group commit, 256         50321/s  p50   3626 us  p99  17677 us",
            "hold + release, 256                     9934/s  p50  21723 us  p99  60549 us",
            "a look at a week with 1,000 holds         p50    700 us  p99   4623 us",
            "1,000 holds on one slot, all answered after  p50   3602 us  worst  16909 us"]
        round = {"run": stored.report("\n".join(lines))}
        self.assertEqual(stored.ratio("run", "hold + release 32", "bare INSERT 32")(round), 0.25)
        self.assertEqual(round["run"]["stored"]["hold + release 32"]["p99_ms"], 14.905)
        self.assertEqual(round["run"]["stored"]["week_ms"], 0.7)
        self.assertEqual(round["run"]["stored"]["one_slot_ms"], 16.909)
        self.assertEqual(scenarios.unclean("run", round["run"]), [])
        self.assertIsNone(run.trim(round["run"])["options"]["channels"])
        for gone in (0, 1, 2, 4, 5, 6, 7):
            with self.assertRaises(servers.Failed):
                stored.report("\n".join(lines[:gone] + lines[gone + 1:]))
        shared = [
            "PostgreSQL, one per transaction,   1      250/s  p50  61739 us  p99 100758 us",
            "PostgreSQL, one per transaction,  32      300/s  p50  61739 us  p99 100758 us",
            "PostgreSQL, hold + release,  32          3000/s  p50   2365 us  p99  14905 us",
            "PostgreSQL, hold + release, 256          4000/s  p50   2365 us  p99  14905 us"]
        round = {"run": stored.over_postgres("\n".join(lines + shared))}
        over, under = "PostgreSQL hold + release 32", "PostgreSQL one per transaction 1"
        self.assertEqual(stored.ratio("run", over, under)(round), 12)
        self.assertEqual(stored.ratio("run", "hold + release 32", over)(round), 3)
        for gone in range(4):
            with self.assertRaises(servers.Failed):
                stored.over_postgres("\n".join(lines + shared[:gone] + shared[gone + 1:]))


class Soak(unittest.TestCase):
    LINES = ["test herd::a ... ", "measured: 18000 sessions were back", "ok",
             "test result: ok. 30 passed; 0 failed; 0 ignored"]

    def test_the_record_has_counts_and_what_was_measured(self):
        part = {"about": "Herds", "date": "2026-11-26", "commit": "abc", "seconds": 600,
                "machine": servers.describe_machine(), **soak.verdict(self.LINES, 0), "measured": soak.measured(self.LINES)}
        page = soak.page({"counts": part})
        self.assertIn("| counts: Herds | 2026-11-26 | abc | 30 | 0 | 10 |", page)
        self.assertIn("* 18000 sessions were back", page)

    def test_a_run_that_breaks_off_has_failed(self):
        self.assertEqual(soak.verdict(["measured: nothing"], 101), {"passed": 0, "failed": 1})

if __name__ == "__main__":
    unittest.main()
