//! A look at every page of a database file that leaves the file as it is: redb can check a file
//! whole only while it opens it for writing, so what it writes is kept aside, in memory, and
//! forgotten.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

const PAGE: u64 = 4096;

#[derive(Debug)]
pub(super) struct Aside(Mutex<Written>);

#[derive(Debug)]
struct Written {
    file: File,
    /// Of the file: what lies beyond was written.
    file_len: u64,
    len: u64,
    pages: HashMap<u64, Box<[u8]>>,
}

impl Aside {
    pub(super) fn over(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let file_len = file.metadata()?.len();
        Ok(Self(Mutex::new(Written {
            file,
            file_len,
            len: file_len,
            pages: HashMap::new(),
        })))
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    /// From the file, as far as it goes.
    fn read_file(&mut self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};

        let there = self.file_len.saturating_sub(offset).min(out.len() as u64);
        let there = usize::try_from(there).unwrap_or(out.len());
        let (there, beyond) = out.split_at_mut(there);
        beyond.fill(0);
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(there)
    }

    /// The pieces of a range, page by page: where each begins in its page, and how long it is.
    fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
        let mut done = 0;
        std::iter::from_fn(move || {
            if done >= len {
                return None;
            }
            let at = offset + done as u64;
            let from = (at % PAGE) as usize;
            let piece = (PAGE as usize - from).min(len - done);
            done += piece;
            Some((at / PAGE, from, piece))
        })
    }
}

impl StorageBackend for Aside {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut written = self.written();
        if offset.saturating_add(out.len() as u64) > written.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        written.read_file(offset, out)?;
        let mut done = 0;
        for (page, from, piece) in Written::pieces(offset, out.len()) {
            if let Some(bytes) = written.pages.get(&page) {
                out[done..done + piece].copy_from_slice(&bytes[from..from + piece]);
            }
            done += piece;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written();
        // What is cut off reads as zeros if it is appended again; a check has no need of that.
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written();
        let mut done = 0;
        for (page, from, piece) in Written::pieces(offset, data.len()) {
            if !written.pages.contains_key(&page) {
                let mut bytes = vec![0; PAGE as usize].into_boxed_slice();
                written.read_file(page * PAGE, &mut bytes)?;
                written.pages.insert(page, bytes);
            }
            if let Some(bytes) = written.pages.get_mut(&page) {
                bytes[from..from + piece].copy_from_slice(&data[done..done + piece]);
            }
            done += piece;
        }
        Ok(())
    }
}
