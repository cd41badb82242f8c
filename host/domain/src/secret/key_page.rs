//! The key that keeps secrets closed in memory: random at each start, never written anywhere, in
//! a page of its own that is left out of core dumps and, as far as the system lets us, of swap.
//!
//! It is the one thing that this process holds globally. Each secret would otherwise have to carry
//! a reference to it through catalogs, headers and comparisons, and there is nothing to choose:
//! two keys in one process protect no better than one.
//!
//! What this gives: whoever gets memory without that page (a dump, a swap file, a read of freed or
//! neighbouring bytes) gets no secret. What it cannot give: whoever can read all of a living
//! process has the key too.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use memmap2::{Mmap, MmapMut};
use zeroize::{Zeroize as _, Zeroizing};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// What the system hands out at least, anyhow.
const PAGE_BYTES: usize = 4096;
/// More than the cipher and what it calls have of the stack.
const STACK_BURNT_BYTES: usize = 4096;

static PAGE: OnceLock<Mmap> = OnceLock::new();
static NONCES: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, thiserror::Error)]
pub enum KeyPageError {
    #[error("the system gives no memory for the key of the secrets")]
    Memory(#[source] std::io::Error),
    #[error("the system gives no random bytes for the key of the secrets")]
    Random(#[source] getrandom::Error),
}

/// Makes the key, so that whoever starts a process learns it if that cannot be done. Once is
/// enough; later calls do nothing.
///
/// # Errors
/// What the system does not give.
pub fn prepare() -> Result<(), KeyPageError> {
    if PAGE.get().is_none() {
        let page = make()?;
        // Somebody else may have been faster; then theirs is the key.
        let _ = PAGE.set(page);
    }
    Ok(())
}

fn make() -> Result<Mmap, KeyPageError> {
    let mut page = MmapMut::map_anon(PAGE_BYTES).map_err(KeyPageError::Memory)?;
    // Before there is anything in it. Locking is refused where the limit of locked memory is
    // nothing; then the key may be swapped, and is still in no dump.
    let _ = page.lock();
    #[cfg(target_os = "linux")]
    page.advise(memmap2::Advice::DontDump)
        .map_err(KeyPageError::Memory)?;
    let (key, _) = page.split_at_mut(KEY_BYTES);
    getrandom::fill(key).map_err(KeyPageError::Random)?;
    // From here on nobody writes to it.
    page.make_read_only().map_err(KeyPageError::Memory)
}

fn page() -> &'static [u8] {
    PAGE.get_or_init(|| make().expect("what starts a process calls `prepare` first, which tells"))
}

/// A number that no other secret of this process has: a stream is never used twice.
pub(super) fn fresh_nonce() -> u64 {
    NONCES.fetch_add(1, Ordering::Relaxed)
}

/// Closes what is open, and opens what is closed.
pub(super) fn apply(nonce: u64, bytes: &mut [u8]) {
    cipher(nonce, bytes);
    burn();
}

/// Never inlined: whatever it leaves behind lies where [`burn`] comes to lie next.
#[inline(never)]
fn cipher(nonce: u64, bytes: &mut [u8]) {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    key.copy_from_slice(&page()[..KEY_BYTES]);
    let mut iv = [0; NONCE_BYTES];
    iv[..size_of::<u64>()].copy_from_slice(&nonce.to_le_bytes());
    // Wipes its state when dropped. Texts are far below the 256 GiB that one nonce is good for.
    ChaCha20::new((&*key).into(), &iv.into()).apply_keystream(bytes);
}

/// Wipes the stack below its caller. A cipher wipes its state where it ends, not where it was moved
/// from or spilled to, and which of these there are changes with the compiler's settings.
#[inline(never)]
fn burn() {
    let mut below = [0_u64; STACK_BURNT_BYTES / size_of::<u64>()];
    below.zeroize();
}

#[cfg(test)]
mod tests {
    use super::{KEY_BYTES, page, prepare};

    /// The mapping that the key lies in, as the kernel tells of it.
    #[cfg(target_os = "linux")]
    fn flags_of(address: usize) -> String {
        let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in text.lines() {
            let range = line.split(' ').next().and_then(|it| it.split_once('-'));
            let hex = |it: &str| usize::from_str_radix(it, 16).ok();
            if let Some((from, to)) = range.and_then(|(from, to)| hex(from).zip(hex(to))) {
                inside = (from..to).contains(&address);
            } else if let Some(flags) = line.strip_prefix("VmFlags:")
                && inside
            {
                return flags.to_owned();
            }
        }
        panic!("the page is mapped");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_key_is_left_out_of_dumps_and_cannot_be_written_to() {
        prepare().unwrap();
        let flags = flags_of(page().as_ptr().addr());
        let has = |flag: &str| flags.split_whitespace().any(|it| it == flag);
        assert!(has("dd"), "left out of core dumps: {flags}");
        assert!(has("rd") && !has("wr"), "{flags}");
        assert_ne!(page()[..KEY_BYTES], [0; KEY_BYTES]);
    }
}
