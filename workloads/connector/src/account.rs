//! The door to a provider account: one caller after another asks to be let in, and waits while
//! the breaker is open, the account is paused or its budget is spent. While nobody may call, the gate
//! before the consumer is closed, so Kafka keeps the messages.

use std::sync::Mutex;
use std::time::Duration;

use chat4all_channels::{Pace, Wait};
use chat4all_kafka::{GateKeeper, Share};
use chat4all_message::{Delivery, MediaKind};
use tokio::sync::{MutexGuard, Notify};
use tokio::time::{Instant, sleep_until};

use crate::breaker::{Admit, Breaker, BreakerPolicy, Health, State};
use crate::budget::{Budget, Ready};
use crate::metrics::{self, ConnectorMetrics};
use crate::standing::Standing;

/// How often a rate that refusals lowered is shown while it recovers.
const SHOW: Duration = Duration::from_secs(1);

/// One provider account.
pub(crate) struct Account {
    connector: String,
    door: Mutex<Door>,
    /// Who comes next, in the order of asking; one line for each kind of calls.
    lines: [tokio::sync::Mutex<()>; Calls::ALL.len()],
    /// The door moved, or may move.
    moved: Notify,
    gate: GateKeeper,
    metrics: ConnectorMetrics,
}

struct Door {
    breaker: Breaker,
    pause: Option<Pause>,
    /// Pauses so far: a call that began before one says nothing about it.
    pauses: u64,
    /// By kind of calls; none where there is no limit.
    budgets: [Option<Budget>; Calls::ALL.len()],
    /// Calls so far that showed that the provider works.
    well: u64,
    /// What was told last, so that a change is logged once.
    told: (State, bool, Standing),
}

/// The account is to be left alone.
struct Pause {
    until: Instant,
    why: Standing,
    /// Refusals in a row that led to it.
    refusals: u32,
    /// When the time is over, one call tries; the others wait for its answer.
    trial: bool,
}

/// What a provider may count apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calls {
    /// Everything, but for what follows.
    All,
    /// Audio and video.
    Recordings,
}

impl Calls {
    const ALL: [Calls; 2] = [Calls::All, Calls::Recordings];

    /// The kind of a delivery's call.
    pub(crate) fn of(delivery: &Delivery) -> Self {
        match delivery.media.as_ref().map(|media| media.kind) {
            Some(MediaKind::Audio | MediaKind::Video) => Self::Recordings,
            _ => Self::All,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Calls::All => "all",
            Calls::Recordings => "recordings",
        }
    }
}

/// The first place in the line.
pub(crate) struct Turn<'a> {
    calls: Calls,
    _first: MutexGuard<'a, ()>,
}

/// The right to make one call. Dropped without a report, the call was not made or not waited for.
pub(crate) struct Permit<'a> {
    account: &'a Account,
    entry: Entry,
    reported: bool,
}

/// What the door notes of a call that it let in.
#[derive(Debug, Clone, Copy)]
struct Entry {
    calls: Calls,
    generation: u64,
    pauses: u64,
    /// Whether it tries if a provider that failed works again.
    trial: bool,
}

/// The account must be left alone for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    pub(crate) wait: Wait,
    pub(crate) why: Standing,
}

/// What stands in the way of a call.
enum Obstacle {
    Until(Instant),
    UntilMoved,
}

impl Account {
    pub(crate) fn new(
        connector: String,
        policy: BreakerPolicy,
        pace: &Pace,
        gate: GateKeeper,
        metrics: ConnectorMetrics,
    ) -> Self {
        let now = Instant::now();
        let door = Door {
            breaker: Breaker::new(policy),
            pause: None,
            pauses: 0,
            budgets: [pace.account, pace.recordings].map(|limit| limit.map(|limit| Budget::new(limit, now))),
            well: 0,
            told: (State::Closed, false, Standing::Good),
        };
        let lines = Default::default();
        let account = Self { connector, door: Mutex::new(door), lines, moved: Notify::new(), gate, metrics };
        account.show(State::Closed, false, Standing::Good);
        account
    }

    /// Waits to be the next one for a call of this kind.
    pub(crate) async fn turn(&self, calls: Calls) -> Turn<'_> {
        // Without a limit of their own they stand in the line of all others.
        let apart = self.with_door(|door, _| door.budgets[calls as usize].is_some());
        let calls = if apart { calls } else { Calls::All };
        Turn { calls, _first: self.lines[calls as usize].lock().await }
    }

    /// Waits until a call may be made.
    pub(crate) async fn admit(&self, turn: Turn<'_>) -> Permit<'_> {
        loop {
            let moved = self.moved.notified();
            match self.with_door(|door, now| door.admit(turn.calls, now)) {
                Ok(entry) => return Permit { account: self, entry, reported: false },
                Err(Obstacle::Until(at)) => tokio::select! { () = sleep_until(at) => {}, () = moved => {} },
                Err(Obstacle::UntilMoved) => moved.await,
            }
        }
    }

    /// How many calls have shown so far that the provider works.
    pub(crate) fn well(&self) -> u64 {
        self.with_door(|door, _| door.well)
    }

    /// Moves the door when its time has come, for ever: nobody else may be there to knock. `share` is
    /// this replica's part of the budget.
    pub(crate) async fn tend(&self, mut share: Share) {
        self.set_share(share.now());
        loop {
            let moved = self.moved.notified();
            let next = self.with_door(|door, now| {
                door.breaker.look(now);
                self.show_budgets(door, now);
                let pause = door.pause.as_ref().map(|pause| pause.until);
                let lowered = door.budgets.iter().flatten().any(Budget::is_lowered).then(|| now + SHOW);
                door.breaker.open_until().into_iter().chain(pause).chain(lowered).filter(|at| *at > now).min()
            });
            let come = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = come => {}
                () = moved => {}
                () = share.changed() => self.set_share(share.now()),
            }
        }
    }

    fn set_share(&self, share: f64) {
        self.with_door(|door, now| door.budgets.iter_mut().flatten().for_each(|budget| budget.set_share(share, now)));
        self.moved.notify_waiters();
    }

    fn report(&self, entry: Entry, health: Health, rest: Option<Rest>) {
        self.with_door(|door, now| {
            door.breaker.report(entry.generation, health, now);
            door.well += u64::from(health == Health::Well);
            let current = door.pauses == entry.pauses;
            match rest {
                Some(Rest { wait, why }) if current => {
                    let refusals = door.pause.as_ref().map_or(0, |pause| pause.refusals);
                    let until = now + wait.after(refusals);
                    door.pause = Some(Pause { until, why, refusals: refusals + 1, trial: false });
                    door.pauses += 1;
                    if why == Standing::Throttled
                        && let Some(budget) = &mut door.budgets[entry.calls as usize]
                    {
                        budget.refused(now);
                    }
                }
                None if current && health != Health::NoSign => door.pause = None,
                _ if current => door.pause.iter_mut().for_each(|pause| pause.trial = false),
                // The call began before the account was paused.
                _ => {}
            }
        });
        self.moved.notify_waiters();
    }

    /// Does something with the door, then shows where it stands; under the lock, so that of two
    /// changes the later one is shown last.
    fn with_door<T>(&self, work: impl FnOnce(&mut Door, Instant) -> T) -> T {
        let mut door = self.door.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        let result = work(&mut door, now);
        let paused = door.pause.as_ref().is_some_and(|pause| now < pause.until);
        let standing = door.pause.as_ref().map_or(Standing::Good, |pause| pause.why);
        let told = (door.breaker.state(), paused, standing);
        let before = std::mem::replace(&mut door.told, told);
        if told != before {
            // That a pause is over for a trial is no news before the trial has told something.
            if (told.0, told.2) != (before.0, before.2) {
                self.log(told.0, told.2);
            }
            self.show(told.0, told.1, told.2);
            self.moved.notify_waiters();
        }
        result
    }

    fn log(&self, state: State, standing: Standing) {
        let (connector, breaker, account) = (&self.connector, name(state), standing.name());
        if standing.needs_somebody() || state == State::Open {
            tracing::warn!(connector, breaker, account, "account");
        } else {
            tracing::info!(connector, breaker, account, "account");
        }
    }

    fn show(&self, state: State, paused: bool, standing: Standing) {
        self.gate.set_open(state != State::Open && !paused);
        let connector = || self.connector.clone();
        for each in [State::Closed, State::Open, State::HalfOpen] {
            let labels = metrics::State { connector: connector(), state: name(each) };
            self.metrics.breaker.get_or_create(&labels).set(i64::from(each == state));
        }
        for each in Standing::ALL {
            let labels = metrics::State { connector: connector(), state: each.name() };
            self.metrics.standing.get_or_create(&labels).set(i64::from(each == standing));
        }
        let labels = metrics::Labels { connector: connector() };
        self.metrics.paused.get_or_create(&labels).set(i64::from(paused));
    }

    fn show_budgets(&self, door: &mut Door, now: Instant) {
        for (calls, budget) in Calls::ALL.into_iter().zip(&mut door.budgets) {
            if let Some(budget) = budget {
                let labels = metrics::Budget { connector: self.connector.clone(), calls: calls.name() };
                self.metrics.budget.get_or_create(&labels).set(budget.rate(now));
            }
        }
    }
}

impl Door {
    /// Lets a caller in.
    fn admit(&mut self, calls: Calls, now: Instant) -> Result<Entry, Obstacle> {
        match &self.pause {
            Some(pause) if now < pause.until => return Err(Obstacle::Until(pause.until)),
            Some(pause) if pause.trial => return Err(Obstacle::UntilMoved),
            _ => {}
        }
        let budget = &mut self.budgets[calls as usize];
        match budget.as_mut().map_or(Ready::Now, |budget| budget.ready(now)) {
            Ready::Now => {}
            Ready::At(at) => return Err(Obstacle::Until(at)),
            Ready::WithAShare => return Err(Obstacle::UntilMoved),
        }
        match self.breaker.admit(now) {
            Admit::Now(generation) => {
                self.pause.iter_mut().for_each(|pause| pause.trial = true);
                budget.iter_mut().for_each(Budget::spend);
                let trial = self.breaker.state() == State::HalfOpen;
                Ok(Entry { calls, generation, pauses: self.pauses, trial })
            }
            Admit::At(at) => Err(Obstacle::Until(at)),
            Admit::AfterTrials => Err(Obstacle::UntilMoved),
        }
    }
}

impl Permit<'_> {
    /// Whether the call tries if a provider that failed works again.
    pub(crate) fn is_trial(&self) -> bool {
        self.entry.trial
    }

    /// The call was answered: what that says of the provider, and whether the account must rest.
    pub(crate) fn report(mut self, health: Health, rest: Option<Rest>) {
        self.reported = true;
        self.account.report(self.entry, health, rest);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.reported {
            self.account.report(self.entry, Health::NoSign, None);
        }
    }
}

fn name(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half-open",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chat4all_kafka::gate;
    use prometheus_client::registry::Registry;
    use tokio::time::timeout;

    use super::*;

    const MINUTE: Wait = Wait::of(Duration::from_secs(60));

    fn account() -> Account {
        with_pace(Pace::UNLIMITED)
    }

    fn with_pace(pace: Pace) -> Account {
        let metrics = ConnectorMetrics::register(&mut Registry::default());
        Account::new("main".into(), BreakerPolicy::default(), &pace, gate().0, metrics)
    }

    fn rest(wait: Wait) -> Rest {
        Rest { wait, why: Standing::Throttled }
    }

    async fn enter(account: &Account) -> Permit<'_> {
        let turn = account.turn(Calls::All).await;
        account.admit(turn).await
    }

    async fn admitted_within(account: &Account, seconds: u64) -> bool {
        timeout(Duration::from_secs(seconds), enter(account)).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_account_lets_one_call_try_when_the_time_is_over() {
        let account = account();
        enter(&account).await.report(Health::NoSign, Some(rest(MINUTE)));
        assert!(!admitted_within(&account, 59).await);
        let trial = enter(&account).await;
        assert!(!admitted_within(&account, 600).await, "the others wait for the trial");
        trial.report(Health::Well, None);
        assert!(admitted_within(&account, 0).await);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_of_calls_that_began_before_the_pause_do_not_lengthen_it() {
        let account = account();
        let calls = [enter(&account).await, enter(&account).await, enter(&account).await];
        let wait = Wait::growing(Duration::from_secs(1), 10, Duration::from_secs(1000));
        for call in calls {
            call.report(Health::NoSign, Some(rest(wait)));
        }
        assert!(admitted_within(&account, 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_is_cut_off_lets_the_next_one_try() {
        let account = account();
        enter(&account).await.report(Health::NoSign, Some(rest(MINUTE)));
        drop(enter(&account).await);
        assert!(admitted_within(&account, 1).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_breaker_keeps_everyone_waiting_and_nobody_out() {
        let account = account();
        for _ in 0..10 {
            enter(&account).await.report(Health::Unwell, None);
        }
        assert!(!admitted_within(&account, 4).await);
        assert!(admitted_within(&account, 2).await);
    }

    fn limited() -> Account {
        let account = with_pace(Pace { account: Some(100.0), recordings: Some(10.0), ..Pace::UNLIMITED });
        account.set_share(0.5);
        account
    }

    /// Calls that are let in and well in so much time, when there is always one that asks.
    async fn calls_within(account: &Account, calls: Calls, length: Duration) -> usize {
        let mut made = 0;
        let call = async {
            loop {
                let turn = account.turn(calls).await;
                account.admit(turn).await.report(Health::Well, None);
                made += 1;
            }
        };
        assert!(timeout(length, call).await.is_err());
        made
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_makes_its_replicas_share_of_the_calls() {
        let made = calls_within(&limited(), Calls::All, Duration::from_secs(10)).await;
        assert!((480..=490).contains(&made), "{made}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_waits_for_its_share() {
        let account = with_pace(Pace { account: Some(100.0), ..Pace::UNLIMITED });
        assert!(!admitted_within(&account, 3600).await);
        account.set_share(1.0);
        assert!(admitted_within(&account, 1).await);
    }

    #[tokio::test(start_paused = true)]
    async fn recordings_that_wait_keep_nothing_else_waiting() {
        let account = limited();
        let both = Duration::from_secs(10);
        let (recordings, others) =
            tokio::join!(calls_within(&account, Calls::Recordings, both), calls_within(&account, Calls::All, both));
        assert!((45..=50).contains(&recordings), "{recordings}");
        assert!((480..=490).contains(&others), "{others}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_slows_the_account_down_and_it_recovers() {
        let account = limited();
        enter(&account).await.report(Health::NoSign, Some(rest(Wait::of(Duration::from_secs(1)))));
        sleep_until(Instant::now() + Duration::from_secs(1)).await;
        let slow = calls_within(&account, Calls::All, Duration::from_secs(1)).await;
        assert!((30..=45).contains(&slow), "{slow}");
        sleep_until(Instant::now() + Duration::from_secs(30)).await;
        calls_within(&account, Calls::All, Duration::from_secs(1)).await;
        let fast = calls_within(&account, Calls::All, Duration::from_secs(1)).await;
        assert!((48..=50).contains(&fast), "{fast}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_is_known_as_one() {
        let account = account();
        for _ in 0..10 {
            let call = enter(&account).await;
            assert!(!call.is_trial());
            call.report(Health::Unwell, None);
        }
        assert!(enter(&account).await.is_trial());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_shown_how_the_account_stands_until_a_call_is_well() {
        let account = account();
        let shown = |standing: Standing| {
            let labels = metrics::State { connector: "main".into(), state: standing.name() };
            account.metrics.standing.get_or_create(&labels).get()
        };
        assert_eq!(shown(Standing::Good), 1);
        let rest = Rest { wait: MINUTE, why: Standing::TokenExpired };
        enter(&account).await.report(Health::NoSign, Some(rest));
        let trial = enter(&account).await;
        assert_eq!((shown(Standing::Good), shown(Standing::TokenExpired)), (0, 1), "also while one call tries");
        trial.report(Health::Well, None);
        assert_eq!((shown(Standing::Good), shown(Standing::TokenExpired)), (1, 0));
    }
}
