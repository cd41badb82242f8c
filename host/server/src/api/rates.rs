//! How often who may call: each token at its rate, and whoever has none only so often.
//!
//! Both tables are bounded: tokens by those that exist, strangers by what is forgotten once its
//! debt is paid off.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Calls without a valid token, from one address and second.
const STRANGER_A_SECOND: NonZeroU32 = NonZeroU32::new(10).unwrap();
const STRANGER_BURST: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// When so many are remembered, those without debt are forgotten.
const REMEMBERED_MAX: usize = 10_000;

pub(super) struct Rates {
    clock: DefaultClock,
    tokens: Option<DefaultKeyedRateLimiter<[u8; 32]>>,
    strangers: DefaultKeyedRateLimiter<IpAddr>,
}

impl Rates {
    /// None: tokens call as often as they like.
    pub(super) fn new(token_a_second: Option<NonZeroU32>) -> Self {
        let strangers = Quota::per_second(STRANGER_A_SECOND).allow_burst(STRANGER_BURST);
        Self {
            clock: DefaultClock::default(),
            tokens: token_a_second.map(|rate| RateLimiter::keyed(Quota::per_second(rate))),
            strangers: RateLimiter::keyed(strangers),
        }
    }

    /// How many seconds this token must wait, if it must.
    pub(super) fn token(&self, hash: [u8; 32]) -> Option<u16> {
        let tokens = self.tokens.as_ref()?;
        if tokens.len() > REMEMBERED_MAX {
            tokens.retain_recent();
        }
        let over = tokens.check_key(&hash).err()?;
        Some(whole_secs(over.wait_time_from(self.clock.now())))
    }

    /// The same of an address that called in vain. What a site of IPv6 can choose from is one.
    pub(super) fn stranger(&self, peer: IpAddr) -> Option<u16> {
        if self.strangers.len() > REMEMBERED_MAX {
            self.strangers.retain_recent();
        }
        let over = self.strangers.check_key(&site(peer)).err()?;
        Some(whole_secs(over.wait_time_from(self.clock.now())))
    }
}

fn site(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => {
            let network = u128::from(v6) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

fn whole_secs(wait: Duration) -> u16 {
    let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u16::try_from(secs.max(1)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::num::NonZeroU32;

    use super::{REMEMBERED_MAX, Rates, STRANGER_BURST};

    #[test]
    fn who_guesses_is_slowed_down_and_nobody_else() {
        let rates = Rates::new(None);
        let (one, other): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let refused = (0..STRANGER_BURST.get() * 2).filter(|_| rates.stranger(one).is_some());
        assert!(refused.count() > 0);
        // Another address of the same network is the same stranger.
        assert!(rates.stranger("2001:db8::2".parse().unwrap()).is_some());
        assert_eq!(rates.stranger(other), None);
        assert_eq!(rates.token([1; 32]), None);
    }

    #[test]
    fn a_token_has_its_rate() {
        let rates = Rates::new(NonZeroU32::new(5));
        let passed = (0..50).filter(|_| rates.token([1; 32]).is_none()).count();
        assert!((5..50).contains(&passed), "{passed}");
        assert_eq!(rates.token([2; 32]), None);
    }

    #[test]
    fn strangers_are_forgotten() {
        let rates = Rates::new(None);
        for number in 0..REMEMBERED_MAX * 3 {
            let number = u32::try_from(number).unwrap();
            rates.stranger(IpAddr::V4(number.into()));
        }
        assert!(rates.strangers.len() < REMEMBERED_MAX * 3);
    }
}
