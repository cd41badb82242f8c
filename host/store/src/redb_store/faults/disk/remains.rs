//! What a power cut leaves of a disk's cache: of each sector any state that it went through since
//! the last sync, and of the file any length.

use std::collections::HashMap;

use super::Unsynced;

const SECTOR: usize = 512;

/// How much of what was not synced is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::redb_store) enum Keep {
    Nothing,
    Everything,
    /// Each sector on its own, as far as it had come at some moment.
    Sectors,
    /// The same, and a write may end amid a sector.
    Torn,
    /// What came first, up to some moment.
    Prefix,
}

impl Keep {
    pub(in crate::redb_store) const ALL: [Self; 5] = [
        Self::Nothing,
        Self::Everything,
        Self::Sectors,
        Self::Torn,
        Self::Prefix,
    ];
}

/// How far a sector had come: so many writes of the cache reached it, and of the next one so many
/// bytes.
#[derive(Clone, Copy)]
struct Reached {
    writes: usize,
    bytes: usize,
}

pub(super) fn of(
    platter: &[u8],
    cache: &[Unsynced],
    keep: Keep,
    random: &mut fastrand::Rng,
) -> Vec<u8> {
    let end = cache.len();
    let moment = random.usize(0..=end);
    // Some cuts lose nearly everything, some nearly nothing.
    let kept_percent = [10, 50, 90][random.usize(0..3)];
    let mut draw = || match keep {
        Keep::Nothing => Reached {
            writes: 0,
            bytes: 0,
        },
        Keep::Everything => Reached {
            writes: end,
            bytes: 0,
        },
        Keep::Prefix => Reached {
            writes: moment,
            bytes: 0,
        },
        Keep::Sectors | Keep::Torn => Reached {
            writes: match random.u32(0..100) {
                chance if chance >= kept_percent => 0,
                chance if chance % 2 == 0 => end,
                _ => random.usize(0..=end),
            },
            bytes: match keep {
                Keep::Torn => random.usize(0..SECTOR),
                Keep::Nothing | Keep::Everything | Keep::Sectors | Keep::Prefix => 0,
            },
        },
    };
    let length = draw();
    let mut sectors = HashMap::new();
    let mut image = platter.to_vec();
    for (number, unsynced) in cache.iter().enumerate() {
        match unsynced {
            Unsynced::SetLen(len) if number < length.writes => image.resize(*len, 0),
            Unsynced::SetLen(_) => {}
            Unsynced::Write(offset, data) => {
                let mut done = 0;
                while done < data.len() {
                    let at = offset + done;
                    let sector = at / SECTOR;
                    let whole = (SECTOR - at % SECTOR).min(data.len() - done);
                    let reached = *sectors.entry(sector).or_insert_with(&mut draw);
                    let kept = match number.cmp(&reached.writes) {
                        std::cmp::Ordering::Less => whole,
                        std::cmp::Ordering::Equal => reached.bytes.min(whole),
                        std::cmp::Ordering::Greater => 0,
                    };
                    put(&mut image, at, &data[done..done + kept]);
                    done += whole;
                }
            }
        }
    }
    image
}

/// As far as the file goes.
fn put(image: &mut [u8], at: usize, data: &[u8]) {
    let to = image.len().min(at + data.len());
    if at < to {
        image[at..to].copy_from_slice(&data[..to - at]);
    }
}
