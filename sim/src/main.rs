//! Runs seeds of the simulator: one alone, or many.
//!
//! ```text
//! deskbell-sim --seed 17               one run, with the usual steps
//! deskbell-sim --seed 17 --steps 12    its first steps
//! deskbell-sim --seeds 300             the seeds 0 to 299
//! deskbell-sim --post --seeds 300      the same of inboxes and conversations
//! ```

use std::process::ExitCode;

use deskbell_sim::world::Failed;
use deskbell_sim::{post, world};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let place = words.iter().position(|word| word == name)?;
        words.get(place + 1)?.parse::<u64>().ok()
    };
    let (first, count) = match (number("--seed"), number("--seeds")) {
        (Some(seed), count) => (seed, count.unwrap_or(1)),
        (None, Some(count)) => (0, count),
        (None, None) => {
            eprintln!("say which: --seed N [--steps M], or --seeds COUNT");
            return ExitCode::from(2);
        }
    };
    let of_post = words.iter().any(|word| word == "--post");
    let usual = if of_post { post::STEPS } else { world::STEPS };
    let steps = number("--steps").unwrap_or(usual);
    let run = |seed| -> Result<(u64, u64, String), Failed> {
        if of_post {
            post::run(seed, steps).map(|report| (report.answers, report.ends, format!("{report:?}")))
        } else {
            world::run(seed, steps).map(|report| (report.answers, report.ends, format!("{report:?}")))
        }
    };
    let (mut passed, mut failed, mut answers, mut ends) = (0_u64, 0_u64, 0, 0);
    for seed in first..first + count {
        match run(seed) {
            Ok((answered, ended, report)) => {
                passed += 1;
                answers += answered;
                ends += ended;
                if count == 1 {
                    println!("{report}");
                }
            }
            Err(wrong) => {
                failed += 1;
                println!("{wrong}");
            }
        }
    }
    println!("{answers} answers, {ends} ends of a process");
    println!("RESULT simulator: {passed} passed, {failed} failed");
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
