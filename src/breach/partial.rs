//! A build that can be stopped: what is finished stands in `FILE.partial`, and what is known about it in
//! `FILE.partial.state`.
//!
//! The next build of the same file goes on from there. It reads the lists from their beginning again and compares what it
//! reads with what the finished part was made of. That is nearly all the work there is (ten million hashes: 1.2 s of processor
//! time for a whole build, 1.3 s for one that goes on after a third, release, AMD EPYC, 2026-11-26), so what is spared is not
//! time but writing, and an older filter stays whole meanwhile. So it always makes what an undisturbed build of the lists
//! that it was given makes, byte for byte, or says why it does not go on. Whoever may write beside the filter is believed: who
//! could leave a false beginning there could replace the filter.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use super::SHARDS;
use super::build::{BuildError, Built, Checkpoint, Finished, Step, build_from};

/// Reads lists that are sorted by hash, each with what its hashes begin with (nothing, or the five digits of a range file),
/// and makes a file with a filter of all passwords that were seen at least `least` times; an older one is replaced when the
/// new one is whole. Goes on where an earlier build was stopped. `progress` is told the
/// shards that are done, of [`SHARDS`], those that an earlier build had finished included.
///
/// # Errors
/// See [`BuildError`]. After an input/output error the next build goes on, and so it does after
/// [`BuildError::OtherLists`], with the lists of before; after other errors of the lists nothing is left.
pub fn build_to<R: BufRead>(
    lists: impl Iterator<Item = io::Result<(String, R)>>,
    to: &Path,
    least: u64,
    mut progress: impl FnMut(usize),
) -> Result<Built, BuildError> {
    let partial = Partial::beside(to);
    let mut file = partial.open()?;
    let finished = partial.finished(least)?;
    // Cut behind what is finished.
    file.set_len(finished.as_ref().map_or(0, |finished| finished.checkpoint.bytes))?;
    file.seek(SeekFrom::End(0))?;
    let out = BufWriter::with_capacity(1 << 20, file.try_clone()?);
    let built = build_from(lists, out, least, finished, |out, step| {
        match step {
            Step::Compared(shards) => progress(shards),
            Step::Written(checkpoint) => {
                out.flush()?;
                progress(checkpoint.shards);
                partial.keep(out.get_ref(), checkpoint)?;
            }
        }
        Ok(())
    });
    if matches!(built, Err(BuildError::Line { .. } | BuildError::Order { .. } | BuildError::Filter(_))) {
        partial.remove();
    }
    let built = built?;
    file.flush()?;
    file.sync_all()?;
    fs::rename(&partial.file, to)?;
    partial.remove();
    Ok(built)
}

struct Partial {
    file: PathBuf,
    state: PathBuf,
}

impl Partial {
    fn beside(to: &Path) -> Partial {
        let file = to.with_added_extension("partial");
        Partial { state: file.with_added_extension("state"), file }
    }

    /// What an earlier build has finished, read whole and found undamaged.
    fn finished(&self, least: u64) -> Result<Option<Finished>, BuildError> {
        let refused = |reason| BuildError::Partial { path: self.file.clone(), reason };
        let state = match fs::read(&self.state) {
            Ok(state) => state,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let damaged = || refused("is damaged");
        let checkpoint: Checkpoint = serde_json::from_slice(&state).map_err(|_| damaged())?;
        if checkpoint.shards > SHARDS {
            return Err(damaged());
        }
        if checkpoint.least != least {
            return Err(refused("was begun with another --least"));
        }
        let mut file = File::open(&self.file).map_err(|_| damaged())?.take(checkpoint.bytes);
        let mut sum = Context::new(&SHA256);
        let (mut buffer, mut length) = (vec![0; 1 << 20], 0);
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            sum.update(&buffer[..read]);
            length += read as u64;
        }
        if length != checkpoint.bytes || sum.clone().finish().as_ref() != checkpoint.output {
            return Err(damaged());
        }
        Ok(Some(Finished { checkpoint, sum }))
    }

    /// The file, for this build alone as long as it is open. Of two that wrote it at once, one could cut off what the other
    /// has written, and the other put the rest in the place of a whole filter.
    fn open(&self) -> Result<File, BuildError> {
        let under_way = || BuildError::UnderWay { path: self.file.clone() };
        let file = File::options().write(true).create(true).truncate(false).open(&self.file)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(under_way()),
            // Some file systems have no locks.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // The build that had it may have ended meanwhile: then this is the filter by now, and not to be touched.
        let (ours, there) = (file.metadata()?, fs::metadata(&self.file).map_err(|_| under_way())?);
        if (ours.dev(), ours.ino()) == (there.dev(), there.ino()) { Ok(file) } else { Err(under_way()) }
    }

    /// Notes what is finished once it is on the disk.
    fn keep(&self, file: &File, checkpoint: &Checkpoint) -> io::Result<()> {
        file.sync_data()?;
        let new = self.state.with_added_extension("new");
        fs::write(&new, serde_json::to_vec(checkpoint)?)?;
        fs::rename(new, &self.state)
    }

    /// The state goes first: without it, the rest is no beginning of anything.
    fn remove(&self) {
        for path in [&self.state, &self.file] {
            // Most often it is not there.
            let _ = fs::remove_file(path);
        }
    }
}
