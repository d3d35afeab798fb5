//! The door to a provider account: one caller after another asks to be let in, and waits while
//! the breaker is open or the account is paused. While nobody may call, the gate before the
//! consumer is closed, so Kafka keeps the messages.

use std::sync::Mutex;

use chat4all_channels::Wait;
use chat4all_kafka::GateKeeper;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::breaker::{Admit, Breaker, BreakerPolicy, Health, State};
use crate::metrics::{self, ConnectorMetrics};

/// One provider account.
pub(crate) struct Account {
    connector: String,
    door: Mutex<Door>,
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
    /// What was told last, so that a change is logged once.
    told: (State, bool),
}

/// The account is to be left alone.
struct Pause {
    until: Instant,
    /// Refusals in a row that led to it.
    refusals: u32,
    /// When the time is over, one call tries; the others wait for its answer.
    trial: bool,
}

/// The right to make one call. Dropped without a report, the call was not made or not waited for.
pub(crate) struct Permit<'a> {
    account: &'a Account,
    generation: u64,
    pauses: u64,
    reported: bool,
}

/// What stands in the way of a call.
enum Obstacle {
    Until(Instant),
    UntilMoved,
}

impl Account {
    pub(crate) fn new(connector: String, policy: BreakerPolicy, gate: GateKeeper, metrics: ConnectorMetrics) -> Self {
        let door = Door { breaker: Breaker::new(policy), pause: None, pauses: 0, told: (State::Closed, false) };
        let account = Self { connector, door: Mutex::new(door), moved: Notify::new(), gate, metrics };
        account.show(State::Closed, false);
        account
    }

    /// Waits until a call may be made.
    pub(crate) async fn admit(&self) -> Permit<'_> {
        loop {
            let moved = self.moved.notified();
            match self.with_door(|door, now| door.admit(now)) {
                Ok((generation, pauses)) => return Permit { account: self, generation, pauses, reported: false },
                Err(Obstacle::Until(at)) => tokio::select! { () = sleep_until(at) => {}, () = moved => {} },
                Err(Obstacle::UntilMoved) => moved.await,
            }
        }
    }

    /// Moves the door when its time has come, for ever: nobody else may be there to knock.
    pub(crate) async fn tend(&self) {
        loop {
            let moved = self.moved.notified();
            let next = self.with_door(|door, now| {
                door.breaker.look(now);
                let pause = door.pause.as_ref().map(|pause| pause.until);
                door.breaker.open_until().into_iter().chain(pause).filter(|at| *at > now).min()
            });
            match next {
                Some(at) => tokio::select! { () = sleep_until(at) => {}, () = moved => {} },
                None => moved.await,
            }
        }
    }

    fn report(&self, permit: &Permit<'_>, health: Health, pause: Option<Wait>) {
        self.with_door(|door, now| {
            door.breaker.report(permit.generation, health, now);
            let current = door.pauses == permit.pauses;
            match pause {
                Some(wait) if current => {
                    let refusals = door.pause.as_ref().map_or(0, |pause| pause.refusals);
                    let until = now + wait.after(refusals);
                    door.pause = Some(Pause { until, refusals: refusals + 1, trial: false });
                    door.pauses += 1;
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
        let told = (door.breaker.state(), paused);
        if told != std::mem::replace(&mut door.told, told) {
            tracing::info!(connector = self.connector, breaker = name(told.0), paused = told.1, "account");
            self.show(told.0, told.1);
            self.moved.notify_waiters();
        }
        result
    }

    fn show(&self, state: State, paused: bool) {
        self.gate.set_open(state != State::Open && !paused);
        let connector = || self.connector.clone();
        for each in [State::Closed, State::Open, State::HalfOpen] {
            let labels = metrics::Breaker { connector: connector(), state: name(each) };
            self.metrics.breaker.get_or_create(&labels).set(i64::from(each == state));
        }
        let labels = metrics::Labels { connector: connector() };
        self.metrics.paused.get_or_create(&labels).set(i64::from(paused));
    }
}

impl Door {
    /// Lets a caller in: the breaker's generation and the number of pauses so far.
    fn admit(&mut self, now: Instant) -> Result<(u64, u64), Obstacle> {
        match &self.pause {
            Some(pause) if now < pause.until => return Err(Obstacle::Until(pause.until)),
            Some(pause) if pause.trial => return Err(Obstacle::UntilMoved),
            _ => {}
        }
        match self.breaker.admit(now) {
            Admit::Now(generation) => {
                self.pause.iter_mut().for_each(|pause| pause.trial = true);
                Ok((generation, self.pauses))
            }
            Admit::At(at) => Err(Obstacle::Until(at)),
            Admit::AfterTrials => Err(Obstacle::UntilMoved),
        }
    }
}

impl Permit<'_> {
    /// The call was answered: what that says of the provider, and whether the account must pause.
    pub(crate) fn report(mut self, health: Health, pause: Option<Wait>) {
        self.reported = true;
        self.account.report(&self, health, pause);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.reported {
            self.account.report(self, Health::NoSign, None);
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
        let metrics = ConnectorMetrics::register(&mut Registry::default());
        Account::new("main".into(), BreakerPolicy::default(), gate().0, metrics)
    }

    async fn admitted_within(account: &Account, seconds: u64) -> bool {
        timeout(Duration::from_secs(seconds), account.admit()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_account_lets_one_call_try_when_the_time_is_over() {
        let account = account();
        account.admit().await.report(Health::NoSign, Some(MINUTE));
        assert!(!admitted_within(&account, 59).await);
        let trial = account.admit().await;
        assert!(!admitted_within(&account, 600).await, "the others wait for the trial");
        trial.report(Health::Well, None);
        assert!(admitted_within(&account, 0).await);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_of_calls_that_began_before_the_pause_do_not_lengthen_it() {
        let account = account();
        let calls = [account.admit().await, account.admit().await, account.admit().await];
        let wait = Wait::growing(Duration::from_secs(1), 10, Duration::from_secs(1000));
        for call in calls {
            call.report(Health::NoSign, Some(wait));
        }
        assert!(admitted_within(&account, 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_is_cut_off_lets_the_next_one_try() {
        let account = account();
        account.admit().await.report(Health::NoSign, Some(MINUTE));
        drop(account.admit().await);
        assert!(admitted_within(&account, 1).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_breaker_keeps_everyone_waiting_and_nobody_out() {
        let account = account();
        for _ in 0..10 {
            account.admit().await.report(Health::Unwell, None);
        }
        assert!(!admitted_within(&account, 29).await);
        assert!(admitted_within(&account, 2).await);
    }
}
