//! The room that each class has in the queue, and who waits for it: first come, first served. A pure struct.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::answer::Class;
use crate::error::QueueFull;

/// Names somebody who waits for room; who came earlier has a smaller one.
pub(crate) type Turn = u64;

pub(crate) struct Room {
    bytes_max: usize,
    classes: [Held; Class::ALL.len()],
    next: Turn,
}

/// What a class has under way, and who waits for room in it.
#[derive(Default)]
struct Held {
    texts: usize,
    bytes: usize,
    line: BTreeSet<Turn>,
    waited: Duration,
}

impl Room {
    /// Room for so many bytes of each class; a single larger text comes in when nothing else is under way.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, classes: Default::default(), next: 0 }
    }

    /// Whether so many bytes may come in now: there is room, and nobody waits for it who came earlier.
    pub(crate) fn may_enter(&self, class: Class, turn: Option<Turn>, bytes: usize) -> bool {
        let Held { bytes: held, line, .. } = &self.classes[class as usize];
        line.first().copied() == turn && (*held == 0 || held + bytes <= self.bytes_max)
    }

    /// Stands in line.
    pub(crate) fn wait(&mut self, class: Class) -> Turn {
        self.next += 1;
        self.classes[class as usize].line.insert(self.next);
        self.next
    }

    /// Leaves the line, with room or without.
    pub(crate) fn leave(&mut self, class: Class, turn: Turn) {
        self.classes[class as usize].line.remove(&turn);
    }

    /// A text comes in.
    pub(crate) fn take(&mut self, class: Class, bytes: usize) {
        let held = &mut self.classes[class as usize];
        held.texts += 1;
        held.bytes += bytes;
    }

    /// A text goes.
    pub(crate) fn give(&mut self, class: Class, bytes: usize) {
        let held = &mut self.classes[class as usize];
        held.texts -= 1;
        held.bytes -= bytes;
    }

    /// A text was answered after so long.
    pub(crate) fn waited(&mut self, class: Class, waited: Duration) {
        self.classes[class as usize].waited = waited;
    }

    /// What somebody is told for whom there is no room.
    pub(crate) fn full(&self, class: Class) -> QueueFull {
        let Held { texts, bytes, waited, .. } = self.classes[class as usize];
        QueueFull { texts, bytes, bytes_max: self.bytes_max, waited }
    }

    /// Nothing is under way.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.classes.iter().all(|held| held.texts == 0 && held.bytes == 0 && held.line.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLASS: Class = Class::Interactive;

    type MayEnter = fn(&Room, Option<Turn>, usize) -> bool;

    /// Some wait for room and others only try, while texts go: who waits comes in before all that came later.
    fn law(steps: &[(u8, usize)], may_enter: MayEnter) {
        let mut room = Room::new(10);
        let (mut line, mut inside) = (Vec::new(), Vec::new());
        for (step, bytes) in steps {
            match step % 3 {
                0 => line.push((room.wait(CLASS), *bytes)),
                1 if may_enter(&room, None, *bytes) => {
                    assert!(line.is_empty(), "somebody who came later was let in first");
                    room.take(CLASS, *bytes);
                    inside.push(*bytes);
                }
                2 if !inside.is_empty() => room.give(CLASS, inside.remove(0)),
                _ => {}
            }
            let next = line.iter().position(|(turn, bytes)| may_enter(&room, Some(*turn), *bytes));
            if let Some(next) = next {
                assert_eq!(next, 0, "somebody who came later was let in first");
                let (turn, bytes) = line.remove(next);
                room.leave(CLASS, turn);
                room.take(CLASS, bytes);
                inside.push(bytes);
            }
            let held: usize = inside.iter().sum();
            assert!(held <= 10 || inside.len() == 1, "{inside:?}");
            let full = room.full(CLASS);
            assert_eq!((full.texts, full.bytes, full.bytes_max), (inside.len(), held, 10));
        }
    }

    proptest! {
        #[test]
        fn is_bounded_and_given_in_the_order_of_coming(steps in prop::collection::vec((any::<u8>(), 1..15usize), 0..60)) {
            law(&steps, |room, turn, bytes| room.may_enter(CLASS, turn, bytes));
        }
    }

    /// The law counts only because it sees this planted bug: a small text slips in before a large one that waits.
    #[test]
    #[should_panic(expected = "somebody who came later was let in first")]
    fn notices_a_text_that_slips_in() {
        let slips_in: MayEnter = |room, _, bytes| {
            room.may_enter(CLASS, None, bytes) || {
                let full = room.full(CLASS);
                full.bytes + bytes <= full.bytes_max
            }
        };
        law(&[(1, 5), (0, 9), (1, 2)], slips_in);
    }

    #[test]
    fn who_leaves_the_line_holds_nobody_back() {
        let mut room = Room::new(10);
        room.take(CLASS, 8);
        let (first, second) = (room.wait(CLASS), room.wait(CLASS));
        assert!(!room.may_enter(CLASS, Some(first), 5) && !room.may_enter(CLASS, Some(second), 1));
        room.leave(CLASS, first);
        assert!(room.may_enter(CLASS, Some(second), 1));
        assert!(!room.may_enter(CLASS, None, 1) && room.may_enter(Class::Stream, None, 100));
    }
}
