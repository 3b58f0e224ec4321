//! Channels: whether a client may have them, who is there, and what was last said.

use deskbell_core::access::{Action, Identity};
use deskbell_core::class::is_cached;
use deskbell_core::ids::ChannelName;
use deskbell_core::log::{Log, Members};
use deskbell_core::news::News;
use deskbell_core::position::Position;
use deskbell_core::presence::{Change, Presence};
use deskbell_core::projection::{Dialect, Source};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::room::is_somebodys;
use deskbell_wire::pusher::proof::App as Signer;
use deskbell_wire::pusher::{Guard, Member, Subscribe, encode, name};

use super::super::Shard;
use super::super::cohort::cohort_of;
use super::super::lens::{Lens, PLAIN, Sight};
use super::super::session::Entered;
use super::carried::Started;

impl Shard {
    /// A wish for a channel. Whoever is refused hears it twice: the channel's listeners by its name, the
    /// connection's by the error, because clients differ in what they look at.
    pub(super) fn pusher_subscribe(&mut self, slot: u32, wish: &Subscribe) {
        if let Err(refusal) = self.try_pusher_subscribe(slot, wish) {
            self.write(slot, &encode::subscription_error(&wish.channel, &refusal));
            self.refuse(slot, &refusal, Some(&wish.channel));
        }
    }

    fn try_pusher_subscribe(&mut self, slot: u32, wish: &Subscribe) -> Result<(), Refusal> {
        let channel = name::channel(&wish.channel)?;
        let member = self.admit_pusher(slot, &channel, wish)?;
        if wish.since.is_some() {
            self.carry(slot, wish.former);
        }
        if !self.is_subscribed(slot, &channel) {
            self.has_room(slot)?;
            if let Some(member) = &member {
                self.enter_as_member(slot, &channel, member)?;
            }
        }
        self.begin_channel(slot, &channel, member.as_ref(), wish.since.as_deref());
        Ok(())
    }

    /// May it have the channel, and as whom is it there?
    fn admit_pusher(
        &self,
        slot: u32,
        channel: &ChannelName,
        wish: &Subscribe,
    ) -> Result<Option<Member>, Refusal> {
        let guard = Guard::of(channel.as_str());
        match guard {
            Guard::Public => self.is_open(slot, channel).map(|()| None),
            Guard::User(user) => match self.user_of(slot) {
                Some(own) if own.id == user => Ok(None),
                _ => Err(Refusal::new(
                    Code::Denied,
                    "this is the channel of another user; sign in as that user first",
                )),
            },
            Guard::Private | Guard::Encrypted | Guard::Presence => {
                let data = self.proven(slot, channel, wish)?;
                if guard != Guard::Presence {
                    return Ok(None);
                }
                match (data, self.user_of(slot)) {
                    (Some(data), _) => Member::read(data).map(Some),
                    (None, Some(user)) => Ok(Some(user.clone())),
                    (None, None) => Err(Refusal::new(
                        Code::BadField,
                        "a presence channel needs `channel_data`, or a user who has signed in",
                    )),
                }
            }
        }
    }

    /// Checks the signature; the answer is the data that it covers.
    fn proven<'a>(
        &self,
        slot: u32,
        channel: &ChannelName,
        wish: &'a Subscribe,
    ) -> Result<Option<&'a str>, Refusal> {
        let app = self.app_of(slot)?;
        let auth = wish.auth.as_deref().ok_or_else(|| {
            Refusal::new(Code::Unauthorized, "this channel needs `auth`; let the app's backend sign it")
        })?;
        let secret = app.secret.expose();
        let signer = Signer { key: &app.key, secret: secret.as_bytes() };
        let (socket, name) = (self.socket_of(slot), channel.as_str());
        if !auth.contains(':') && app.pusher.load().bare_signatures {
            return signer.bare(auth, &socket, name).map(|()| None);
        }
        signer.channel(auth, &socket, name, wish.data.as_deref()).map(|()| wish.data.as_deref())
    }

    /// Is a channel without a guard open to whoever has the key? Where a rule names it, the rules decide, and where
    /// another dialect's clients hear there what is for one of them alone.
    pub(in super::super) fn is_open(&self, slot: u32, channel: &ChannelName) -> Result<(), Refusal> {
        let app = self.app_of(slot)?;
        let ruled = is_somebodys(channel.as_str()) || app.rules.load().speaks_of(channel);
        if !ruled && app.pusher.load().is_public(channel.as_str()) {
            return Ok(());
        }
        let visitor = Identity::visitor(0);
        let identity = self.clients.get(slot).map_or(&visitor, |client| &client.session.identity);
        app.allows(identity, Action::Subscribe, channel, self.now).map(|_| ())
    }

    /// The name of a client's socket.
    pub(super) fn socket_of(&self, slot: u32) -> String {
        self.clients.get(slot).map(|client| client.session.public_id().to_string()).unwrap_or_default()
    }

    pub(super) fn user_of(&self, slot: u32) -> Option<&Member> {
        self.clients.get(slot)?.speaker.as_ref()?.user.as_ref()
    }

    fn has_room(&self, slot: u32) -> Result<(), Refusal> {
        let Some(client) = self.clients.get(slot) else { return Ok(()) };
        let plain = client.session.subs.iter().filter(|sub| sub.lens == PLAIN).count();
        let own = plain - client.speaker.as_ref().map_or(0, |speaker| speaker.watches);
        if own < self.tuning.subscriptions {
            return Ok(());
        }
        let most = self.tuning.subscriptions;
        Err(Refusal::new(
            Code::LimitReached,
            format!("a connection has at most {most} channels; leave one first"),
        ))
    }

    /// Enters a channel's presence. Whoever is there already in another tab shows what it showed first.
    pub(in super::super) fn enter_as_member(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        member: &Member,
    ) -> Result<(), Refusal> {
        let (note, most) = (self.note(), self.terms(slot)?.members);
        let Some(client) = self.clients.get_mut(slot) else { return Ok(()) };
        let holder = client.session.holder();
        let app = &self.hub.apps[usize::from(client.app)];
        let (data, change) = app.log.with(|log| {
            let there = log.presence(channel.as_str());
            let shown = there.and_then(|there| there.get(&member.id)).map(|member| member.data.clone());
            if shown.is_none() && there.is_some_and(|there| there.len() >= most) {
                let sentence =
                    format!("this channel has its {most} members; use another one, or raise pusher.members");
                return Err(Refusal::new(Code::LimitReached, sentence));
            }
            let data = shown.unwrap_or_else(|| member.info.clone());
            log.enter(channel, &member.id, holder, data.clone(), note).map(|change| (data, change))
        })?;
        if matches!(change, Change::Joined | Change::Gathered) && channel.as_str().starts_with("presence-") {
            let came = || News::Came(channel.clone(), member.id.as_str().into());
            self.hub.hooks.tell(app, self.now, came);
        }
        let entered = client.session.entered.get_or_insert_default();
        entered.push(Entered { channel: channel.clone(), data, member: Some(member.id.as_str().into()) });
        Ok(())
    }

    /// Sets a channel going: first that it has succeeded, with who is there; then what was last said; and
    /// everything later behind it, without a gap.
    fn begin_channel(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        member: Option<&Member>,
        since: Option<&str>,
    ) {
        // Its replies so far stand before what comes up now.
        self.flush(slot);
        let Some(app) = self.clients.get(slot).map(|client| usize::from(client.app)) else { return };
        let (own, now) = (member.cloned(), self.now);
        let cached = is_cached(channel.as_str());
        let seen = self.level(app, cohort_of(slot), |log: &Log| {
            let there = Presence::default();
            let there = log.presence(channel.as_str()).unwrap_or(&there);
            let roster = own.as_ref().map(|own| encode::roster(there, (&own.id, &own.info)));
            let last = cached.then(|| log.cached(channel.as_str(), now));
            (roster, last, log.head())
        });
        let (roster, last, head) = seen;
        let mut started = Started::Anew;
        if !self.is_subscribed(slot, channel) {
            self.list(slot, channel, member.is_some());
            self.see_through(slot, channel);
            started = self.start_since(slot, channel, since, member.is_some().then_some(head));
        }
        self.write_standing(slot, &encode::succeeded(channel.as_str(), roster.as_deref().unwrap_or("{}")));
        self.tell_unreadable(slot, channel, started);
        let Some(variant) = self.clients.get(slot).map(|client| client.variant) else { return };
        // What comes from where it stands has the last event in it.
        match last.filter(|_| started != Started::Onward) {
            Some(Some(entry)) => {
                let frame = variant.event_with(&entry, &self.cursor(slot));
                self.out.extend_from_slice(&frame);
            }
            Some(None) => {
                self.hub.hooks.tell(&self.hub.apps[app], now, || News::Missed(channel.clone()));
                self.write(slot, &encode::cache_miss(channel.as_str()));
            }
            None => {}
        }
        // What others cause from here on stands behind this.
        self.flush(slot);
    }

    /// What the channel shows of log channels, and of itself under its name with another number of prefixes.
    fn see_through(&mut self, slot: u32, channel: &ChannelName) {
        let Some(client) = self.clients.get(slot) else { return };
        let app = &self.hub.apps[usize::from(client.app)];
        let table = app.projections.load_full();
        let single = name::single(channel.as_str());
        let sources = table.resolve(Dialect::Pusher, single);
        let guard = Guard::of(channel.as_str());
        let visitor = Identity::visitor(0);
        let mut lenses = Vec::new();
        for Source { channel: source, rows } in sources {
            // A signature is the backend's word. Without one a name shows no more than its sources would.
            let open = || app.allows(&visitor, Action::Subscribe, &source, self.now).is_ok();
            if guard == Guard::Private || (guard == Guard::Public && open()) {
                let sight = Sight::Rows(table.clone(), rows);
                lenses.push(Lens { shown: channel.clone(), source, sight });
            }
        }
        if guard == Guard::Private && !lenses.is_empty() {
            let other =
                if single == channel.as_str() { format!("private-{single}") } else { single.to_owned() };
            let same = ChannelName::parse(&other).ok();
            let sight = Sight::Same;
            lenses.extend(same.map(|source| Lens { shown: channel.clone(), source, sight }));
        }
        for lens in lenses {
            self.look_through(slot, lens);
        }
    }

    /// The subscription begins where its cohort stands; a client that is behind reads on to there first.
    /// Whoever sees who is there has a list up to that place.
    pub(super) fn start_here(&mut self, slot: u32, channel: &ChannelName, listed: Option<Position>) {
        let Some(client) = self.clients.get(slot) else { return };
        let here = self.cohort(usize::from(client.app), slot).at;
        if client.catching.as_ref().is_some_and(|catching| catching.at != here) {
            self.note_start(slot, channel, |start| (start.after, start.asked) = (Some(here), true));
        }
        if let Some(head) = listed {
            self.note_start(slot, channel, |start| start.members = Members::Listed(head));
        }
    }
}
