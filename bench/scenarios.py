"""What is measured, and what is asked of it.

Each scenario has some runs, made one after the other in every round. A target is a figure computed from the
runs of one round, because only those compare: the same machine gives other speeds from minute to minute. What
counts is the median over the rounds.
"""

import dataclasses
import re
import statistics
import typing

import appointments
import inboxes
import presence
import servers
import stored
import watchers


@dataclasses.dataclass
class Run:
    """One server and how it is driven."""
    server: str
    options: list


@dataclasses.dataclass
class Target:
    """A figure of a round, and its bound. Without a bound it is only recorded."""
    text: str
    value: typing.Callable
    least: float | None = None
    most: float | None = None

    def bound(self):
        if self.least is not None:
            return f">= {self.least:g}"
        return f"<= {self.most:g}" if self.most is not None else "recorded"

    def met(self, value):
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclasses.dataclass
class Scenario:
    name: str
    about: str
    runs: dict
    targets: list
    rounds: int | None = None
    measure: typing.Callable | None = None


def per_cpu(report):
    """Deliveries per CPU second of the server."""
    return report["published"]["deliveries_per_cpu_s"]


def per_cpu_ratio(over, under):
    return lambda round: per_cpu(round[over]) / per_cpu(round[under])


def latency(label, which):
    return lambda round: round[label]["latency"][which]


def bytes_per_connection(label):
    def value(round):
        idle = round[label]["idle"]
        return (idle["resident_after"] - idle["resident_before"]) / round[label]["options"]["connections"]
    return value


def connects_per_cpu(report):
    return report["options"]["connections"] / report["idle"]["cpu_s"]


def growth(label):
    """What one of the last 5,000 connections cost, against one of the first after the first thousand."""
    def value(round):
        steps = round[label]["idle"]["steps"]

        def cost(first, last):
            return (last["cpu_s"] - first["cpu_s"]) / (last["connections"] - first["connections"])
        return cost(steps[-6], steps[-1]) / cost(steps[0], steps[5])
    return value


def instructions_per_delivery(binaries, run):
    """User-space instructions, from the difference of a short and a long run under callgrind: what both have
    in common (start, connecting, subscribing) falls away."""
    counted = []
    output = binaries.limit.parent / f"callgrind-{run.server}.out"
    wrap = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}"]
    for seconds in (0.5, 2.5):
        with start(run.server, binaries, wrap=wrap) as server:
            report = servers.generate(binaries, server, [*run.options, "--duration", seconds, "--warmup", 0])
        found = re.search(r"^(?:totals|summary): (\d+)", output.read_text(), re.MULTILINE)
        output.unlink()
        if not found:
            raise servers.Failed("callgrind wrote no total: does the server end on SIGTERM?")
        counted.append((int(found[1]), report["checks"]["deliveries"], report))
    (few, some, _), (many, more, report) = counted
    report["instructions_per_delivery"] = (many - few) / (more - some)
    return report


def start(kind, binaries, **rest):
    """The server that a run names."""
    import sockets
    if kind in sockets.KINDS:
        return sockets.KINDS[kind](binaries, **rest)
    return {
        "limit": lambda: servers.Limit(binaries, **rest),
        "deskbell": lambda: servers.Deskbell(binaries, **rest),
        "deskbell-tls": lambda: servers.Deskbell(binaries, tls=True, **rest),
        **{f"deskbell-{dialect}": lambda dialect=dialect: servers.Deskbell(binaries, dialect, **rest)
           for dialect in ("pusher", "socketio", "appointease", "portico")},
        "sockudo": lambda: servers.Sockudo(binaries, **rest),
        "deskbell-2-shards": lambda: servers.Deskbell(binaries, shards=2, pin=False, **rest),
    }[kind]()


def both(*options):
    return {label: Run(label, list(options)) for label in ("limit", "deskbell")}


def beside_socketio(timed, quick):
    # It builds on what stands in this file.
    import sockets
    return sockets.all_scenarios(timed, quick)


def all_scenarios(quick):
    seconds = 1 if quick else 4
    timed = ["--duration", seconds, "--warmup", 0.5]
    return [*fan_out(timed), *channels(timed, seconds), *connections(), *ledger(seconds), *store(quick),
            *post(quick), *appointease(quick), *dialects(timed), *beside_sockudo(timed, seconds),
            *beside_socketio(timed, quick),
            *details(seconds)]


def fan_out(timed):
    ten = ["--connections", 10000, *timed]
    return [
        Scenario(
            "fanout-1k", "One channel, 1,000 subscribers, one publish at a time",
            both("--connections", 1000, *timed),
            [Target("deliveries per CPU second, deskbell / limit", per_cpu_ratio("deskbell", "limit"), least=0.93)]),
        Scenario(
            "fanout-10k", "One channel, 10,000 subscribers, one publish at a time",
            {**both(*ten), "2 shards": Run("deskbell-2-shards", ten)},
            [Target("deliveries per CPU second, deskbell / limit", per_cpu_ratio("deskbell", "limit"), least=0.90),
             Target("deliveries per second on the wall, 2 shards unpinned / 1 shard",
                    lambda round: round["2 shards"]["published"]["deliveries_per_s"]
                    / round["deskbell"]["published"]["deliveries_per_s"])]),
        Scenario(
            "burst-1k", "One channel, 1,000 subscribers, 16 publishes at once; the yardstick one at a time",
            {"limit": Run("limit", ["--connections", 1000, *timed]),
             "deskbell": Run("deskbell", ["--connections", 1000, "--outstanding", 16, *timed])},
            [Target("deliveries per CPU second, deskbell / limit", per_cpu_ratio("deskbell", "limit"), least=8)]),
        Scenario(
            "hot-channel", "1,000 events/s to 1,000 subscribers: a million deliveries per second",
            {"deskbell": Run("deskbell", ["--connections", 1000, "--rate", 1000, "--outstanding", 16, *timed])},
            [Target("deliveries made of those due", lambda round: round["deskbell"]["published"]["deliveries_per_s"]
                    / 1e6, least=0.99),
             Target("p99 in ms", latency("deskbell", "p99_ms"), most=10)]),
    ]


def channels(timed, seconds):
    ten = ["--connections", 10000, *timed]
    # In each pair every connection gets equally many frames in a window, so that equally much can be joined
    # in one send; only the number of channels differs.
    publish = ["--connections", 0, "--outstanding", 16, "--duration", seconds, "--warmup", 5]
    return [
        Scenario(
            "many-channels", "10,000 connections on 1,000 channels of 10, and on five channels each",
            {"one channel, 1 frame": Run("deskbell", ten),
             "1,000 channels, 1 frame": Run(
                 "deskbell", [*ten, "--channels", 1000, "--batch", 100, "--outstanding", 10]),
             "one channel, 5 frames": Run("deskbell", [*ten, "--batch", 5]),
             "5 channels, 5 frames": Run(
                 "deskbell", [*ten, "--channels", 5, "--channels-per-connection", 5, "--dirty", "all"])},
            [Target("deliveries per CPU second, 1,000 channels / one",
                    per_cpu_ratio("1,000 channels, 1 frame", "one channel, 1 frame"), least=0.8),
             Target("deliveries per CPU second, five dirty channels / one with five events",
                    per_cpu_ratio("5 channels, 5 frames", "one channel, 5 frames"), least=0.8)]),
        Scenario(
            "publish-cost", "Publishing to channels that nobody listens to",
            {"10": Run("deskbell", [*publish, "--channels", 10]),
             "100,000": Run("deskbell", [*publish, "--channels", 100000])},
            [Target("CPU per event, 100,000 channels / 10",
                    lambda round: round["100,000"]["published"]["cpu_us_per_event"]
                    / round["10"]["published"]["cpu_us_per_event"], most=1.3),
             Target("CPU microseconds per event at 10 channels",
                    lambda round: round["10"]["published"]["cpu_us_per_event"])]),
    ]


def connections():
    idle = ["--connections", 10000, "--duration", 0, "--settle", 3]
    # The ports of one address, or of four, are soon all taken by connections of earlier rounds that linger a minute
    # after their end. The kernel then looks long for a free one, the clients come one by one instead of 64 at a time,
    # and a server that is waited for by nobody handles each connection by itself.
    connect = ["--connections", 18000, "--source-addresses", 64, "--duration", 0, "--settle", 0.1]
    return [
        Scenario(
            "idle-memory", "10,000 connections, subscribed and silent",
            {"plain": Run("deskbell", idle)},
            [Target("resident bytes per connection", bytes_per_connection("plain"), most=1024)], rounds=3),
        Scenario(
            "idle-memory-tls", "10,000 connections with TLS, subscribed and silent",
            {"TLS": Run("deskbell-tls", idle)},
            [Target("resident bytes per connection with TLS", bytes_per_connection("TLS"), most=20 * 1024)],
            rounds=3),
        Scenario(
            "connect", "18,000 connections opened and subscribed, 64 at a time",
            both(*connect),
            [Target("connects and subscribes per CPU second, deskbell / limit",
                    lambda round: connects_per_cpu(round["deskbell"]) / connects_per_cpu(round["limit"]), least=0.6),
             # The kernel's own cost grows with the connections it has; what counts is what we add to that.
             Target("growth of the CPU per connect from the first to the last 5,000, deskbell / limit",
                    lambda round: growth("deskbell")(round) / growth("limit")(round), most=1.25),
             Target("CPU per connect, the last 5,000 / the first", growth("deskbell")),
             Target("the same of the yardstick", growth("limit"))]),
    ]


def ledger(seconds):
    return [
        Scenario(
            "watchers-1k", "Ten resources, 1,000 screens that watch them, a hold or a release at a time",
            {"limit": Run("limit", [seconds]), "deskbell": Run("deskbell", [seconds])},
            [Target("deltas per CPU second of the shard, deskbell / limit", per_cpu_ratio("deskbell", "limit"),
                    least=0.93),
             Target("the same with deciding, committing and HTTP",
                    lambda round: round["deskbell"]["whole"]["deliveries_per_cpu_s"]
                    / round["limit"]["published"]["deliveries_per_cpu_s"])],
            measure=watchers.watched),
    ]


def store(quick):
    few, many = "1,000 past", "1,000,000 past"
    # Shorter, and the bare table is still so small that its rows go nearly all into the same pages.
    seconds, longer = (0.3, 2000) if quick else (5, 1000000)
    held = {clients: f"hold + release {clients}" for clients in (32, 256)}
    return [
        Scenario(
            "ledger", "Durable holds and releases in the process, from 32 and 256 clients, beside bare INSERTs",
            {few: Run("store", [seconds, 1000])},
            [*(Target(f"commands per second of {clients} clients, store / bare group commit",
                      stored.ratio(few, held[clients], f"bare INSERT {clients}"), least=0.35) for clients in held),
             *(Target(f"commands per second of {clients} clients, store / one per transaction",
                      stored.ratio(few, held[clients], "hold + release 1"), least=6) for clients in held),
             Target("p99 in ms of 32 clients", lambda round: round[few]["stored"][held[32]]["p99_ms"], most=10),
             Target("p50 in ms of a look at a week with 1,000 holds",
                    lambda round: round[few]["stored"]["week_ms"], most=1),
             Target("ms until 1,000 who want one slot are answered, the worst of 20 times",
                    lambda round: round[few]["stored"]["one_slot_ms"], most=100)],
            measure=stored.measured),
        Scenario(
            "ledger-past", "The same with a thousand and with a million reservations that are over",
            {few: Run("store", [seconds, 1000]), many: Run("store", [seconds, longer])},
            [Target(f"commands per second of {clients} clients, a million past / a thousand past",
                    lambda round, clients=clients: stored.rate(many, held[clients])(round)
                    / stored.rate(few, held[clients])(round), least=0.8) for clients in held],
            rounds=2, measure=stored.measured),
        Scenario(
            "postgres", "The same from 32 clients over PostgreSQL on this machine, beside one command per transaction",
            {few: Run("store", [seconds, 1000])},
            [Target("commands per second, store over PostgreSQL / one per transaction over as many connections (one)",
                    stored.ratio(few, "PostgreSQL hold + release 32", "PostgreSQL one per transaction 1"), least=3),
             Target("commands per second, the store's file / the store over PostgreSQL",
                    stored.ratio(few, held[32], "PostgreSQL hold + release 32"), least=2),
             Target("commands per second, store over PostgreSQL / one per transaction over 32 connections",
                    stored.ratio(few, "PostgreSQL hold + release 32", "PostgreSQL one per transaction 32")),
             Target("p99 in ms of 32 clients over PostgreSQL",
                    lambda round: round[few]["stored"]["PostgreSQL hold + release 32"]["p99_ms"])],
            measure=stored.shared),
    ]


def post(quick):
    size, users, waves = (2000, 500, 1) if quick else (100000, 10000, 5)
    return [
        Scenario(
            "inbox", f"An inbox of {size:,} notifications; {users:,} users online, each notified on a channel of its own",
            {"deskbell": Run("deskbell", [size, users, waves])},
            [*(Target(f"ms for {what} of the inbox", inboxes.milliseconds(name), most=10)
               for what, name in (("the newest page", "page_ms"), ("a page in the middle", "deep_page_ms"),
                                  ("the count", "count_ms"), ("reading all", "read_all_ms"),
                                  ("a look for unread ones where there are none", "none_unread_ms"))),
             Target("CPU, notifying everybody / as many publishes", inboxes.ratio("notified", "published"), most=1),
             Target("CPU, notifying everybody / as many publishes, 1,000 in a request",
                    inboxes.ratio("notified", "published in batches"))],
            rounds=3, measure=inboxes.measured),
    ]


def appointease(quick):
    ours = "deskbell"

    def of(what):
        return lambda round: round[ours]["page"][what]
    return [
        Scenario(
            "appointease", "A page of the AppointEase dialect, one message after the other; what it is told of is on the disk",
            {ours: Run("deskbell", [100 if quick else 2000])},
            [*(Target(f"p99 in ms of {text}", appointments.p99(ours, kind), most=most) for kind, text, most in (
                ("ping", "ping and pong", 3), ("lock", "a lock", 10), ("availability", "a date's free times", 20),
                ("appointments", f"{appointments.APPOINTMENTS} appointments of a person", 20))),
             Target("errors", of("errors"), most=0)],
            rounds=3, measure=appointments.conversed),
        Scenario(
            "appointease-flood", "1,000 messages of one page within a second, with the limits as they are",
            {ours: Run("deskbell", [])},
            [Target("answered of those sent", of("answered"), least=1),
             Target("messages sent per second", of("sent_per_s"), least=990),
             Target("ms that the last answer came behind the last message", of("late_ms"), most=100)],
            rounds=3, measure=appointments.flooded),
    ]


def in_dialect(name, called, timed):
    """What every dialect must reach: one event at a time, many at once, and visitors who only look."""
    ours = f"deskbell-{name}"

    def fan_out(size, connections, outstanding, least):
        at_once = "one event at a time" if outstanding == 1 else f"{outstanding} events at once"
        options = ["--connections", connections, *timed]
        return Scenario(
            f"{name}-{size}", f"One channel, {connections:,} {called}, {at_once}; the yardstick one at a time",
            {"limit": Run("limit", options), ours: Run(ours, [*options, "--outstanding", outstanding])},
            [Target("deliveries per CPU second, deskbell / limit", per_cpu_ratio(ours, "limit"), least=least)])

    return [
        fan_out("1k", 1000, 1, 0.9),
        fan_out("10k", 10000, 1, 0.9),
        fan_out("burst-1k", 1000, 16, 8),
        Scenario(
            f"{name}-idle-memory", f"10,000 {called}, each with one subscription, silent",
            {ours: Run(ours, ["--connections", 10000, "--duration", 0, "--settle", 3])},
            [Target("resident bytes per connection", bytes_per_connection(ours), most=1536)], rounds=3),
    ]


def dialects(timed):
    return [*in_dialect("pusher", "clients of the Pusher dialect", timed), members(),
            *in_dialect("appointease", "pages of AppointEase", timed),
            *in_dialect("portico", "pages of PorticoEstate", timed), with_sessions()]


def with_sessions():
    ours = "deskbell-portico"
    return Scenario(
        "portico-sessions-memory", "10,000 pages of PorticoEstate, each with a session, its room and its applications",
        {ours: Run(ours, ["--connections", 10000, "--duration", 0, "--settle", 3, "--sessions"])},
        [Target("resident bytes per connection", bytes_per_connection(ours))], rounds=3)


def members():
    ours = "deskbell-pusher"

    def storm(what):
        return lambda round: round[ours]["storm"][what]
    return Scenario(
        "pusher-presence", "1,000 members join a presence channel in five seconds, and leave it in five more",
        {ours: Run(ours, [1000, 5])},
        [Target("bytes sent / bytes that the protocol demands",
                lambda round: storm("bytes")(round) / storm("demanded")(round), most=1.01),
         Target("MB that the protocol demands", lambda round: storm("demanded")(round) / 1e6),
         Target("CPU microseconds per frame", storm("cpu_us_per_frame")),
         Target("seconds that the last frame was late", storm("late_s")),
         Target("KB of memory for a member, at the most", lambda round: storm("memory")(round) / 1e6)],
        rounds=2, measure=presence.stormed)


def beside_sockudo(timed, seconds):
    """The same load on both, one after the other in every round."""
    def pair(*options):
        return {label: Run(server, list(options)) for label, server in (("sockudo", "sockudo"), ("deskbell", "deskbell-pusher"))}

    ratio = per_cpu_ratio("deskbell", "sockudo")
    return [
        Scenario(
            "sockudo-fanout-10k", "One channel, 10,000 subscribers, one trigger at a time, beside Sockudo",
            pair("--connections", 10000, *timed),
            [Target("deliveries per CPU second, deskbell / sockudo", ratio, least=1.5)], rounds=3),
        Scenario(
            "sockudo-burst-1k", "One channel, 1,000 subscribers, 16 triggers at once, beside Sockudo",
            pair("--connections", 1000, "--outstanding", 16, *timed),
            [Target("deliveries per CPU second, deskbell / sockudo", ratio, least=10)], rounds=3),
        Scenario(
            "sockudo-connect", "10,000 connections opened and subscribed, 64 at a time, beside Sockudo",
            pair("--connections", 10000, "--source-addresses", 64, "--duration", 0, "--settle", 3),
            [Target("connects and subscribes per CPU second, deskbell / sockudo",
                    lambda round: connects_per_cpu(round["deskbell"]) / connects_per_cpu(round["sockudo"]), least=3),
             *(Target(f"resident bytes per connection of {label}", bytes_per_connection(label))
               for label in ("deskbell", "sockudo"))], rounds=3),
        Scenario(
            "sockudo-triggers", "16 triggers at once on channels without listeners, on connections that stay open as long "
            "as the server lets them, beside Sockudo",
            pair("--connections", 0, "--channels", 10, "--outstanding", 16, "--duration", seconds, "--warmup", 1),
            [Target("triggers per CPU second, deskbell / sockudo",
                    lambda round: round["sockudo"]["published"]["cpu_us_per_event"]
                    / round["deskbell"]["published"]["cpu_us_per_event"], least=3)], rounds=3),
    ]


def details(seconds):
    return [
        Scenario(
            "latency", "20 publishes per second to 1,000 subscribers",
            both("--connections", 1000, "--rate", 20, "--duration", seconds + 1, "--warmup", 0.5),
            [Target("p99, deskbell / limit",
                    lambda round: latency("deskbell", "p99_ms")(round) / latency("limit", "p99_ms")(round), most=1.3),
             Target("p50, deskbell / limit",
                    lambda round: latency("deskbell", "p50_ms")(round) / latency("limit", "p50_ms")(round))]),
        Scenario(
            "instructions", "User-space instructions per delivery, one channel with 1,000 subscribers",
            both("--connections", 1000),
            [Target(f"instructions per delivery of {label}",
                    lambda round, label=label: round[label]["instructions_per_delivery"])
             for label in ("limit", "deskbell")],
            rounds=1, measure=instructions_per_delivery),
    ]


def unclean(label, report):
    """What must not happen in any run, whatever its speed."""
    checks = report["checks"]
    wrong = [name for name in ("lost", "duplicated", "misrouted", "disconnects") if checks[name]]
    if report["options"].get("outstanding") == 1 and checks["reordered"]:
        wrong.append("reordered")
    if report["published"] and report["published"]["stalls"]:
        wrong.append("stalled")
    return [f"{label}: {checks.get(name, 'windows')} {name}" for name in wrong]


def judge(scenario, rounds):
    """The targets of a scenario over its rounds, and whether they were met."""
    found = []
    for target in scenario.targets:
        values = [target.value(round) for round in rounds]
        median = statistics.median(values)
        found.append({"text": target.text, "bound": target.bound(), "median": median, "least": min(values),
                      "most": max(values), "met": target.met(median)})
    return found
