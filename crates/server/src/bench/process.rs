//! What the server costs: CPU time and memory of its process, read from `/proc`.
//!
//! Where there is no `/proc` (or no `--server-pid`), nothing is reported; the benchmark runs all the same.

use std::collections::HashMap;
use std::fs;

/// Clock ticks of `/proc/PID/stat`: Linux has told user space 100 for every machine since 2.6.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time used so far.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// User and system time of whole processes: never forgets a thread, but counts in steps of 10 ms.
    ticks: u64,
    /// Nanoseconds of each thread alive: exact.
    threads: HashMap<u64, u64>,
}

impl Usage {
    /// Reads the time of some processes; none if one of them cannot be read.
    pub fn read(processes: &[u32]) -> Option<Self> {
        if processes.is_empty() {
            return None;
        }
        let mut usage = Self::default();
        for process in processes {
            usage.ticks += ticks(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)?;
            for task in fs::read_dir(format!("/proc/{process}/task")).ok()? {
                let task = task.ok()?;
                let Some(number) = task.file_name().to_str().and_then(|name| name.parse().ok()) else {
                    continue;
                };
                let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
                if let Some(nanos) = text.split(' ').next().and_then(|field| field.parse().ok()) {
                    usage.threads.insert(number, nanos);
                }
            }
        }
        Some(usage)
    }

    /// Seconds from `before` until this reading. Ticks stand in where a thread has ended between the two.
    pub fn seconds_since(&self, before: &Self) -> f64 {
        let whole = before.threads.keys().all(|thread| self.threads.contains_key(thread));
        if whole && !self.threads.is_empty() {
            let total = |usage: &Self| usage.threads.values().sum::<u64>();
            return total(self).saturating_sub(total(before)) as f64 / 1e9;
        }
        self.ticks.saturating_sub(before.ticks) as f64 / TICKS_PER_SECOND
    }
}

/// Resident memory of a process, in bytes.
pub fn resident(process: u32) -> Option<u64> {
    resident_of(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// `utime + stime`. The name stands in parentheses and may hold spaces, so fields count from its end.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 70 30 0 0 20 0 4 0 100 0 0";
        assert_eq!(ticks(stat), Some(100));
        assert_eq!(ticks("nonsense"), None);
        assert_eq!(resident_of("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2048 * 1024));
    }

    #[test]
    fn a_thread_that_ended_makes_the_ticks_count() {
        let usage =
            |ticks, threads: &[(u64, u64)]| Usage { ticks, threads: threads.iter().copied().collect() };
        let before = usage(10, &[(1, 1_000_000), (2, 5)]);
        let near = |left: f64, right: f64| (left - right).abs() < 1e-9;
        assert!(near(usage(99, &[(1, 3_000_000), (2, 5), (3, 10)]).seconds_since(&before), 0.002_000_010));
        assert!(near(usage(12, &[(1, 3_000_000)]).seconds_since(&before), 0.02));
        assert!(near(usage(12, &[]).seconds_since(&usage(10, &[])), 0.02));
    }
}
