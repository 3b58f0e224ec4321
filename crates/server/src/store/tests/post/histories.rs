//! Random histories in batches, with failing commits and restarts, held against lists.

use std::collections::BTreeMap;

use super::*;

/// A generator whose numbers are the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// What each user's inbox is: number, and whether it is read.
type Lists = BTreeMap<&'static str, (u64, BTreeMap<u64, bool>)>;

const NAMES: [&str; 3] = ["ann", "bob", "carl"];

/// One command, and what it does to the lists.
fn deed(dice: &mut Dice, lists: &mut Lists) -> Act {
    let name = NAMES[dice.below(3) as usize];
    let (newest, list) = lists.entry(name).or_default();
    let numbers: Vec<u64> = (0..3).map(|_| dice.below(*newest + 2)).collect();
    let of = Some(user(name));
    match dice.below(8) {
        0..=3 => {
            let both = if dice.below(2) == 0 { vec![name] } else { NAMES.to_vec() };
            for name in &both {
                let (newest, list) = lists.entry(name).or_default();
                *newest += 1;
                list.insert(*newest, false);
            }
            notify(&both)
        }
        4 | 5 => {
            list.iter_mut().for_each(|(number, read)| *read |= numbers.contains(number));
            Act::Read { of, numbers }
        }
        6 => {
            list.retain(|number, _| !numbers.contains(number));
            Act::Delete { of, numbers }
        }
        _ => {
            let up_to = (dice.below(3) > 0).then(|| numbers[0]);
            list.iter_mut().for_each(|(number, read)| *read |= *number <= up_to.unwrap_or(u64::MAX));
            Act::ReadAll { of, up_to }
        }
    }
}

#[test]
fn the_file_is_the_lists_whatever_comes_between() {
    for seed in 0..if is_over_postgres() { 4 } else { 20 } {
        let (mut dice, mut stand, mut lists) = (Dice(seed), Stand::new(), Lists::default());
        for _ in 0..30 {
            let before = lists.clone();
            let acts: Vec<Act> = (0..=dice.below(6)).map(|_| deed(&mut dice, &mut lists)).collect();
            let fails = dice.below(6) == 0;
            if fails {
                let broken = stand.scratch.in_words_of_the_store(
                    "CREATE TEMP TRIGGER planted BEFORE INSERT ON main.changes
                     BEGIN SELECT RAISE(FAIL, 'planted by the test'); END",
                    "ALTER TABLE changes ADD CONSTRAINT planted CHECK (position = 0) NOT VALID",
                );
                stand.sql(broken);
            }
            let answers = stand.together(acts);
            if fails {
                let works = "ALTER TABLE changes DROP CONSTRAINT planted";
                let works = stand.scratch.in_words_of_the_store("DROP TRIGGER planted", works);
                stand.sql(works);
                // Whatever would have changed something was refused, so nothing has.
                lists = before;
            } else {
                assert!(answers.iter().all(Result::is_ok), "{answers:?}");
            }
            if dice.below(5) == 0 {
                stand.restart();
            }
            for name in NAMES {
                let (_, list) = lists.get(name).cloned().unwrap_or_default();
                let (unread, numbers, page) = stand.page(name, None, 500, false);
                assert_eq!(numbers, list.keys().rev().copied().collect::<Vec<_>>(), "seed {seed}, {name}");
                let read: Vec<bool> = page.notifications.iter().map(|one| one.read).collect();
                assert_eq!(read, list.values().rev().copied().collect::<Vec<_>>(), "seed {seed}, {name}");
                assert_eq!(
                    unread,
                    list.values().filter(|read| !**read).count() as u64,
                    "seed {seed}, {name}"
                );
            }
        }
        stand.sound();
    }
}
