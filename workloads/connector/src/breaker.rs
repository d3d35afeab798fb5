//! A circuit breaker as a pure state machine. Not a library's, because ours has to tell callers
//! until when to wait instead of refusing them: a delivery is never dropped for an open breaker.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

/// How long it stays open at first, and while its trials are certainly not taken: they cost the provider next to nothing
/// and the messages no attempt, and most failures are over before the half minute that suits a provider that is down.
const FIRST: Duration = Duration::from_secs(5);

/// When to stop calling a provider that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BreakerPolicy {
    /// Opens when at least this share of the calls in the window failed, in percent (1 to 100).
    pub failure_rate_percent: u32,
    /// Opens only after at least so many calls in the window; and when so many failed in a row, however far apart.
    pub minimum_calls: u32,
    /// The window, in seconds.
    pub window_seconds: u64,
    /// The longest that it stays open, in seconds: 5 s at first, twice as long after each trial that the provider may
    /// have taken without telling.
    pub open_seconds: u64,
    /// Trial calls when it is half-open, all after one that succeeded; it closes when all of them succeed.
    pub half_open_calls: u32,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self { failure_rate_percent: 50, minimum_calls: 10, window_seconds: 10, open_seconds: 30, half_open_calls: 3 }
    }
}

/// The breaker of one account.
#[derive(Debug)]
pub(crate) struct Breaker {
    policy: BreakerPolicy,
    phase: Phase,
    /// Counts the changes of phase, so that a call begun in one says nothing in another.
    generation: u64,
}

#[derive(Debug)]
enum Phase {
    Closed {
        window: VecDeque<Second>,
        /// Failures since a call last showed that it works.
        in_a_row: u32,
    },
    Open {
        until: Instant,
        wait: Duration,
    },
    /// After so long a wait.
    HalfOpen {
        trials: u32,
        succeeded: u32,
        wait: Duration,
    },
}

/// The calls that ended in one second.
#[derive(Debug)]
struct Second {
    began: Instant,
    calls: u32,
    failures: u32,
}

/// The breaker's state, as people know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Closed,
    Open,
    HalfOpen,
}

/// Whether a call may be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admit {
    /// Yes; report it with this generation.
    Now(u64),
    /// Not before then.
    At(Instant),
    /// When the trial calls are answered.
    AfterTrials,
}

/// What a call says about the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// It works.
    Well,
    /// It does not, and certainly did not take the message.
    Unwell,
    /// It does not answer, and may have taken the message.
    Silent,
    /// Nothing: the call was not made or not waited for.
    NoSign,
}

impl Health {
    /// Whether the provider failed.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Self::Unwell | Self::Silent)
    }
}

impl Breaker {
    pub(crate) fn new(policy: BreakerPolicy) -> Self {
        Self { policy, phase: Phase::closed(), generation: 0 }
    }

    pub(crate) fn state(&self) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// When an open breaker becomes half-open.
    pub(crate) fn open_until(&self) -> Option<Instant> {
        if let Phase::Open { until, .. } = self.phase { Some(until) } else { None }
    }

    /// An open breaker whose time is over becomes half-open.
    pub(crate) fn look(&mut self, now: Instant) {
        if let Phase::Open { until, wait } = self.phase
            && now >= until
        {
            self.enter(Phase::HalfOpen { trials: 0, succeeded: 0, wait });
        }
    }

    /// Asks for a call.
    pub(crate) fn admit(&mut self, now: Instant) -> Admit {
        self.look(now);
        match &mut self.phase {
            Phase::Closed { .. } => Admit::Now(self.generation),
            Phase::Open { until, .. } => Admit::At(*until),
            // One alone tries first: while the provider fails, each trial delays its message.
            Phase::HalfOpen { trials, succeeded, .. }
                if *trials < if *succeeded == 0 { 1 } else { self.policy.half_open_calls } =>
            {
                *trials += 1;
                Admit::Now(self.generation)
            }
            Phase::HalfOpen { .. } => Admit::AfterTrials,
        }
    }

    /// A call of this generation ended.
    pub(crate) fn report(&mut self, generation: u64, health: Health, now: Instant) {
        if generation != self.generation {
            return;
        }
        match &mut self.phase {
            Phase::Closed { window, in_a_row } => {
                if health == Health::NoSign {
                    return;
                }
                let (calls, failures) = note(window, health, now, Duration::from_secs(self.policy.window_seconds));
                *in_a_row = if health == Health::Well { 0 } else { *in_a_row + 1 };
                let most_fail =
                    calls >= self.policy.minimum_calls && failures * 100 >= self.policy.failure_rate_percent * calls;
                // What is well now is no reason, whatever was before it.
                if health.is_failure() && (most_fail || *in_a_row >= self.policy.minimum_calls) {
                    self.open(now, FIRST);
                }
            }
            Phase::HalfOpen { trials, succeeded, wait } => match health {
                Health::NoSign => *trials -= 1,
                Health::Unwell => self.open(now, FIRST),
                Health::Silent => {
                    let wait = *wait * 2;
                    self.open(now, wait);
                }
                Health::Well => {
                    *succeeded += 1;
                    if *succeeded >= self.policy.half_open_calls {
                        self.enter(Phase::closed());
                    }
                }
            },
            Phase::Open { .. } => {}
        }
    }

    fn open(&mut self, now: Instant, wait: Duration) {
        let wait = wait.min(Duration::from_secs(self.policy.open_seconds));
        self.enter(Phase::Open { until: now + wait, wait });
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
    }
}

impl Phase {
    fn closed() -> Self {
        Self::Closed { window: VecDeque::new(), in_a_row: 0 }
    }
}

/// Adds a call to the window; gives the calls and the failures in it.
fn note(window: &mut VecDeque<Second>, health: Health, now: Instant, length: Duration) -> (u32, u32) {
    while window.front().is_some_and(|second| now.duration_since(second.began) >= length) {
        window.pop_front();
    }
    if window.back().is_none_or(|second| now.duration_since(second.began) >= Duration::from_secs(1)) {
        window.push_back(Second { began: now, calls: 0, failures: 0 });
    }
    if let Some(second) = window.back_mut() {
        second.calls += 1;
        second.failures += u32::from(health.is_failure());
    }
    window.iter().fold((0, 0), |(calls, failures), s| (calls + s.calls, failures + s.failures))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn call(breaker: &mut Breaker, health: Health, now: Instant) {
        let Admit::Now(generation) = breaker.admit(now) else { panic!("not admitted") };
        breaker.report(generation, health, now);
    }

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(BreakerPolicy::default());
        for _ in 0..10 {
            call(&mut breaker, Health::Unwell, now);
        }
        assert_eq!(breaker.state(), State::Open);
        breaker
    }

    #[test]
    fn it_opens_at_half_failed_calls_of_ten_at_least() {
        let now = Instant::now();
        let mut breaker = Breaker::new(BreakerPolicy::default());
        for n in 0..9 {
            call(&mut breaker, if n < 5 { Health::Well } else { Health::Unwell }, now);
            assert_eq!(breaker.state(), State::Closed);
        }
        call(&mut breaker, Health::Unwell, now);
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.admit(now), Admit::At(now + FIRST));
    }

    #[test]
    fn failures_that_left_the_window_do_not_count() {
        let now = Instant::now();
        let mut breaker = Breaker::new(BreakerPolicy::default());
        (0..9).for_each(|_| call(&mut breaker, Health::Unwell, now));
        call(&mut breaker, Health::Well, now + seconds(10));
        (0..9).for_each(|_| call(&mut breaker, Health::Unwell, now + seconds(20)));
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn a_call_that_is_well_never_opens_it() {
        let now = Instant::now();
        let mut breaker = Breaker::new(BreakerPolicy::default());
        (0..9).for_each(|_| call(&mut breaker, Health::Unwell, now));
        call(&mut breaker, Health::Well, now);
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn ten_failures_in_a_row_open_it_at_once_where_calls_are_many_and_some_day_where_they_are_few() {
        let now = Instant::now();
        let mut busy = Breaker::new(BreakerPolicy::default());
        (0..1000).for_each(|_| call(&mut busy, Health::Well, now));
        (0..10).for_each(|_| call(&mut busy, Health::Unwell, now));
        assert_eq!(busy.state(), State::Open, "before its messages have used up their attempts");
        let mut idle = Breaker::new(BreakerPolicy::default());
        (0..10).for_each(|n| call(&mut idle, Health::Unwell, now + seconds(3600 * n)));
        assert_eq!(idle.state(), State::Open);
    }

    #[test]
    fn half_open_lets_a_few_trials_through_and_closes_when_all_succeed() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + FIRST;
        let Admit::Now(first) = breaker.admit(later) else { panic!() };
        assert_eq!(breaker.admit(later), Admit::AfterTrials, "one tries alone");
        breaker.report(first, Health::Well, later);
        let others: Vec<Admit> = (0..3).map(|_| breaker.admit(later)).collect();
        assert_eq!(others[2], Admit::AfterTrials);
        for admit in &others[..2] {
            let Admit::Now(generation) = admit else { panic!() };
            assert_eq!(breaker.state(), State::HalfOpen);
            breaker.report(*generation, Health::Well, later);
        }
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn a_trial_that_may_have_been_taken_opens_it_for_twice_as_long_up_to_the_longest() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for wait in [5, 10, 20, 30, 30] {
            assert_eq!(breaker.admit(now), Admit::At(now + seconds(wait)));
            now += seconds(wait);
            call(&mut breaker, Health::Silent, now);
        }
        let shorter = BreakerPolicy { open_seconds: 1, minimum_calls: 1, ..BreakerPolicy::default() };
        let mut breaker = Breaker::new(shorter);
        call(&mut breaker, Health::Unwell, now);
        assert_eq!(breaker.admit(now), Admit::At(now + seconds(1)), "no longer than it is told");
    }

    #[test]
    fn a_trial_that_was_certainly_not_taken_is_made_again_soon() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for health in [Health::Unwell, Health::Silent, Health::Unwell, Health::Unwell] {
            let Admit::At(next) = breaker.admit(now) else { panic!() };
            now = next;
            call(&mut breaker, health, now);
        }
        assert_eq!(breaker.admit(now), Admit::At(now + FIRST));
    }

    #[test]
    fn once_it_was_closed_it_opens_for_a_short_time_again() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for health in [Health::Unwell, Health::Well] {
            now += seconds(30);
            let calls = if health == Health::Well { 3 } else { 1 };
            (0..calls).for_each(|_| call(&mut breaker, health, now));
        }
        assert_eq!(breaker.state(), State::Closed);
        (0..10).for_each(|_| call(&mut breaker, Health::Unwell, now));
        assert_eq!(breaker.admit(now), Admit::At(now + FIRST));
    }

    #[test]
    fn a_trial_that_was_not_made_gives_its_place_back() {
        let now = Instant::now();
        let mut breaker = opened(now);
        for _ in 0..10 {
            call(&mut breaker, Health::NoSign, now + seconds(30));
        }
        assert_eq!(breaker.state(), State::HalfOpen);
    }

    #[test]
    fn an_answer_to_a_call_of_an_earlier_phase_says_nothing() {
        let now = Instant::now();
        let mut breaker = Breaker::new(BreakerPolicy::default());
        let Admit::Now(early) = breaker.admit(now) else { panic!() };
        for _ in 0..10 {
            call(&mut breaker, Health::Unwell, now);
        }
        breaker.look(now + seconds(30));
        breaker.report(early, Health::Unwell, now + seconds(30));
        assert_eq!(breaker.state(), State::HalfOpen);
    }
}
