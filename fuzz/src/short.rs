//! Every target for some seconds without a fuzzing engine: `short SECONDS [TARGET]`.
//!
//! First each committed seed as it is, then seeds changed by a generator that always starts with the same number:
//! a failure comes again. Its input is written to `fuzz/artifacts`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use deskbell_fuzz::{TARGETS, Target};

/// The longest input. Most parsers have smaller bounds of their own.
const LONGEST: usize = 20_000;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(3);
    let only = arguments.next();
    let chosen = TARGETS.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name));
    let (mut passed, mut failed) = (0, 0);
    for target in chosen {
        match run(target, Duration::from_secs(seconds)) {
            Ok(inputs) => {
                println!("fuzz {}: {inputs} inputs", target.0);
                passed += 1;
            }
            Err(input) => {
                println!("fuzz {}: FAILED with {}", target.0, keep(target.0, &input).display());
                failed += 1;
            }
        }
    }
    println!("RESULT fuzz: {passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one target; gives the number of inputs, or the one that broke it.
fn run((name, check): &Target, time: Duration) -> Result<u64, Vec<u8>> {
    let seeds = seeds(name);
    let holds = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| check(input))).map_err(|_| input.to_vec());
    for seed in &seeds {
        holds(seed)?;
    }
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut count = seeds.len() as u64;
    let end = Instant::now() + time;
    while Instant::now() < end {
        let input = changed(&seeds, &mut dice);
        holds(&input)?;
        count += 1;
    }
    Ok(count)
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a seed").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has no seeds", folder.display());
    paths.iter().map(|path| std::fs::read(path).expect("a seed can be read")).collect()
}

fn keep(name: &str, input: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts").join(name);
    let path = folder.join("short");
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&path, input))
        .expect("artifacts can be written");
    path
}

/// A seed with a few changes, each of which moves a parser to another branch.
fn changed(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(input.len() + 1);
        let to = at + dice.below(input.len() - at + 1);
        match dice.below(7) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 if at < input.len() => input[at] = dice.next() as u8,
            2 => input.insert(at, *dice.pick(b"\0\"\\{}[]:,&%+=\r\n \x7f\x80\xff0")),
            3 => drop(input.drain(at..to)),
            4 => {
                let piece = input[at..to].to_vec();
                let place = dice.below(input.len() + 1);
                input.splice(place..place, piece);
            }
            5 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                input.splice(at..to, other[from..].iter().copied());
            }
            _ => input.truncate(to),
        }
        input.truncate(LONGEST);
    }
    input
}

/// A small generator of numbers: the same ones in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
