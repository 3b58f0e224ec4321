//! Who is subscribed to what, and which channel is published to next.

use super::options::{Dirty, Options};

/// Connections fall into groups; all of a group share the same `per_connection` channels, and no channel
/// belongs to two groups. So every channel's audience is known without asking anybody.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Subscribers in all.
    pub connections: usize,
    /// Channels in all.
    pub channels: usize,
    /// Channels of each subscriber.
    pub per_connection: usize,
    groups: usize,
    dirty: Dirty,
}

impl Layout {
    /// The layout that the (checked) options describe.
    pub fn new(options: &Options) -> Self {
        Self {
            connections: options.connections,
            channels: options.channels,
            per_connection: options.channels_per_connection,
            groups: options.channels / options.channels_per_connection,
            dirty: options.dirty,
        }
    }

    /// The channels of one connection.
    pub fn channels_of(&self, connection: usize) -> std::ops::Range<usize> {
        let first = connection % self.groups * self.per_connection;
        first..first + self.per_connection
    }

    /// Where a connection counts a channel, if it is subscribed to it.
    pub fn slot(&self, connection: usize, channel: usize) -> Option<usize> {
        let channels = self.channels_of(connection);
        channels.contains(&channel).then(|| connection * self.per_connection + channel - channels.start)
    }

    /// How many connections are subscribed to a channel.
    pub fn audience(&self, channel: usize) -> u64 {
        let group = channel / self.per_connection;
        let spare = usize::from(group < self.connections % self.groups);
        (self.connections / self.groups + spare) as u64
    }

    /// The channel of the `n`th event. With `Dirty::All` the channels of a group follow one another, so that
    /// its connections have several dirty channels at once; with `Dirty::One` each group gets one in turn.
    pub fn channel_of_event(&self, n: u64) -> usize {
        let n = (n % self.channels as u64) as usize;
        match self.dirty {
            Dirty::All => n,
            Dirty::One => n % self.groups * self.per_connection + n / self.groups,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(connections: usize, channels: usize, per_connection: usize, dirty: Dirty) -> Layout {
        Layout { connections, channels, per_connection, groups: channels / per_connection, dirty }
    }

    #[test]
    fn the_audience_is_what_a_count_over_all_connections_gives() {
        for (connections, channels, each) in [(10, 1, 1), (10, 4, 1), (23, 15, 5), (0, 10, 1), (3, 10, 2)] {
            let layout = layout(connections, channels, each, Dirty::All);
            for channel in 0..channels {
                let counted = (0..connections).filter(|&it| layout.slot(it, channel).is_some()).count();
                assert_eq!(layout.audience(channel), counted as u64, "channel {channel} of {layout:?}");
            }
        }
    }

    #[test]
    fn every_pair_has_a_slot_of_its_own() {
        let layout = layout(7, 15, 5, Dirty::All);
        let pairs = (0..7).flat_map(|it| (0..15).map(move |channel| (it, channel)));
        let mut slots: Vec<_> = pairs.filter_map(|(it, channel)| layout.slot(it, channel)).collect();
        slots.sort_unstable();
        assert_eq!(slots, (0..35).collect::<Vec<_>>());
    }

    #[test]
    fn one_round_of_events_touches_every_channel_once() {
        for dirty in [Dirty::All, Dirty::One] {
            let layout = layout(7, 15, 5, dirty);
            let mut round: Vec<_> = (30..45).map(|n| layout.channel_of_event(n)).collect();
            let three_groups: std::collections::HashSet<_> = round[..3].iter().map(|it| it / 5).collect();
            assert_eq!(three_groups.len(), if dirty == Dirty::One { 3 } else { 1 });
            round.sort_unstable();
            assert_eq!(round, (0..15).collect::<Vec<_>>());
        }
    }
}
