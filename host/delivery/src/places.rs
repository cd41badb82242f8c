//! The places that attempts run in: so many, holding so much, and half of either kept from lanes
//! whose attempts take long. Whatever slow receivers there are, the others find a place.

use crate::config::DeliveryConfig;

#[derive(Debug, Default)]
pub(crate) struct Places {
    all: Taken,
    /// Of them, those of lanes that were slow when they began.
    slow: Taken,
}

#[derive(Debug, Default)]
struct Taken {
    count: usize,
    bytes: usize,
}

/// A place that an attempt runs in, to be given back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    is_slow: bool,
    bytes: usize,
}

impl Places {
    pub(crate) fn running(&self) -> usize {
        self.all.count
    }

    pub(crate) fn slow_running(&self) -> usize {
        self.slow.count
    }

    pub(crate) fn has_one(&self, config: &DeliveryConfig) -> bool {
        self.all.count < config.attempts_max && self.all.bytes < config.attempts_bytes_max
    }

    /// At least one, whatever the bounds.
    pub(crate) fn has_one_for_slow(&self, config: &DeliveryConfig) -> bool {
        self.slow.count == 0
            || (self.slow.count < config.attempts_max / 2
                && self.slow.bytes < config.attempts_bytes_max / 2)
    }

    pub(crate) fn take(&mut self, is_slow: bool, bytes: usize) -> Place {
        self.all.add(bytes);
        if is_slow {
            self.slow.add(bytes);
        }
        Place { is_slow, bytes }
    }

    pub(crate) fn give_back(&mut self, place: Place) {
        self.all.remove(place.bytes);
        if place.is_slow {
            self.slow.remove(place.bytes);
        }
    }
}

impl Taken {
    fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.count -= 1;
        self.bytes -= bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::Places;
    use crate::config::DeliveryConfig;

    #[test]
    fn slow_lanes_get_half_of_the_places_and_half_of_what_they_may_hold() {
        let config = DeliveryConfig {
            attempts_max: 4,
            attempts_bytes_max: 100,
            ..DeliveryConfig::new(1)
        };
        let mut places = Places::default();
        let first = places.take(true, 60);
        assert!(!places.has_one_for_slow(&config), "60 of 50 bytes");
        places.give_back(first);
        let slow = [places.take(true, 1), places.take(true, 1)];
        assert!(!places.has_one_for_slow(&config) && places.has_one(&config));
        let fast = [places.take(false, 1), places.take(false, 1)];
        assert!(!places.has_one(&config), "all four");
        for place in slow.into_iter().chain(fast) {
            places.give_back(place);
        }
        assert!(places.has_one_for_slow(&config));
        let large = places.take(false, 200);
        assert!(!places.has_one(&config), "200 of 100 bytes");
        places.give_back(large);
        assert_eq!((places.running(), places.slow_running()), (0, 0));
    }
}
