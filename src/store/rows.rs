//! Planned rows as compressed lines of JSON, in blocks, so that any page can be read without the ones before.
//!
//! Each block is a gzip member of its own; together they are one gzip file, which `zcat` reads.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::de::DeserializeOwned;

use crate::disk;
use crate::engine::model::diff::PlannedRow;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::row_store::{LineSum, RawRow, RowSet};
use crate::engine::port::spools::{Spool, Spools};

/// Rows of a block: what a page costs at most to find.
const BLOCK: u64 = 1_000;

/// Row sets in the directory for temporary files, gone with the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpoolFiles;

fn failed(what: &str, path: &Path, e: &std::io::Error) -> Error {
    Error::new(Class::Unobserved, format!("failed to {what} {}: {e}", path.display()))
        .hint("planned rows are kept in a file: is the disk full, is TMPDIR writable?")
}

impl Spools for SpoolFiles {
    fn create(&self) -> Result<Box<dyn Spool>> {
        let (file, path) = nameless()?;
        let part =
            Part { file, path, block: Vec::new(), rows: 0, at: 0, offsets: vec![], hash: LineSum::default() };
        Ok(Box::new(part))
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn RowSet>> {
        Stored::index(path).map(|s| Arc::new(s) as Arc<dyn RowSet>)
    }
}

/// A file without a name. Names are not unique for ever: a process that was killed between the two may have had our number.
fn nameless() -> Result<(File, PathBuf)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let name = format!("midwatch-{}-{}.rows", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        // Rows are data of production: nobody else may read them.
        match disk::nameless(&path) {
            Ok(file) => return Ok((file, path)),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed("create", &path, &e)),
        }
    }
}

/// A row set that is being written.
struct Part {
    file: File,
    /// What it was called, for messages.
    path: PathBuf,
    block: Vec<u8>,
    rows: u64,
    at: u64,
    offsets: Vec<u64>,
    hash: LineSum,
}

impl Part {
    fn flush(&mut self) -> Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let packed = pack(&self.block).map_err(|e| failed("write", &self.path, &e))?;
        self.file.write_all(&packed).map_err(|e| failed("write", &self.path, &e))?;
        self.offsets.push(self.at);
        self.at += packed.len() as u64;
        self.block.clear();
        Ok(())
    }
}

fn pack(block: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(block)?;
    encoder.finish()
}

impl Spool for Part {
    fn push(&mut self, line: &str) -> Result<()> {
        self.block.extend_from_slice(line.as_bytes());
        self.block.push(b'\n');
        self.hash.add(line);
        self.rows += 1;
        if self.rows.is_multiple_of(BLOCK) { self.flush() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<Arc<dyn RowSet>> {
        self.flush()?;
        let part = *self;
        Ok(Arc::new(Stored {
            file: Mutex::new(part.file),
            path: part.path,
            rows: part.rows,
            size: part.at,
            offsets: part.offsets,
            sha256: part.hash.finish(),
        }))
    }
}

/// A row set that is complete.
struct Stored {
    file: Mutex<File>,
    path: PathBuf,
    rows: u64,
    size: u64,
    offsets: Vec<u64>,
    sha256: String,
}

impl Stored {
    /// Finds the blocks of a saved file and sums its lines.
    fn index(path: &Path) -> Result<Self> {
        let broken = |e: std::io::Error| {
            Error::new(Class::Stale, format!("failed to read {}: {e}", path.display()))
                .hint("the plan's rows belong beside it, as FILE.rows; plan again if they are lost")
        };
        let file = File::open(path).map_err(broken)?;
        let size = file.metadata().map_err(broken)?.len();
        let mut reader = BufReader::new(&file);
        let (mut offsets, mut rows, mut hash, mut block) = (vec![], 0_u64, LineSum::default(), Vec::new());
        let mut at = 0;
        while at < size {
            offsets.push(at);
            block.clear();
            GzDecoder::new(&mut reader).read_to_end(&mut block).map_err(broken)?;
            hash.add_lines(&block);
            let lines = block.split(|b| *b == b'\n').count().saturating_sub(1) as u64;
            at = reader.stream_position().map_err(broken)?;
            rows += lines;
            // Pages are found by dividing: every block but the last is full.
            if lines != BLOCK && at < size {
                return Err(Error::new(
                    Class::Stale,
                    format!("{} was edited or packed anew", path.display()),
                )
                .hint("apply takes the rows as plan wrote them; plan again"));
            }
        }
        let path = path.to_owned();
        Ok(Self { file: Mutex::new(file), path, rows, size, offsets, sha256: hash.finish() })
    }

    fn block(&self, number: usize) -> Result<Vec<u8>> {
        let read = |e: std::io::Error| failed("read", &self.path, &e);
        let Some(start) = self.offsets.get(number).copied() else { return Ok(vec![]) };
        let end = self.offsets.get(number + 1).copied().unwrap_or(self.size);
        let mut packed = vec![0; usize::try_from(end - start).unwrap_or(0)];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start)).map_err(read)?;
        file.read_exact(&mut packed).map_err(read)?;
        drop(file);
        let mut block = Vec::new();
        GzDecoder::new(packed.as_slice()).read_to_end(&mut block).map_err(read)?;
        Ok(block)
    }

    /// Of a row, which is a line of the unpacked file, from 1.
    fn not_understood(&self, row: u64, line: &[u8], e: &serde_json::Error) -> Error {
        let why = match std::str::from_utf8(line) {
            Err(e) => format!("not UTF-8: byte {} of it", e.valid_up_to() + 1),
            Ok(_) => e.to_string(),
        };
        Error::new(Class::Stale, format!("failed to understand line {row} of {}: {why}", self.path.display()))
    }

    fn read<T: DeserializeOwned>(&self, from: u64, limit: usize) -> Result<Vec<T>> {
        let mut out = Vec::with_capacity(limit.min(4_096));
        let mut skip = usize::try_from(from % BLOCK).unwrap_or(0);
        let mut number = usize::try_from(from / BLOCK).unwrap_or(usize::MAX);
        while out.len() < limit && number < self.offsets.len() {
            let block = self.block(number)?;
            let lines = block.split(|b| *b == b'\n').filter(|l| !l.is_empty());
            for line in lines.skip(skip).take(limit - out.len()) {
                out.push(
                    serde_json::from_slice(line)
                        .map_err(|e| self.not_understood(from + out.len() as u64 + 1, line, &e))?,
                );
            }
            skip = 0;
            number += 1;
        }
        Ok(out)
    }
}

impl RowSet for Stored {
    fn len(&self) -> u64 {
        self.rows
    }

    fn sha256(&self) -> &str {
        &self.sha256
    }

    fn page(&self, from: u64, limit: usize) -> Result<Vec<PlannedRow>> {
        self.read(from, limit)
    }

    fn raw(&self, from: u64, limit: usize) -> Result<Vec<RawRow>> {
        self.read(from, limit)
    }

    fn save(&self, path: &Path) -> Result<()> {
        let write = |e: std::io::Error| failed("write", path, &e);
        if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            disk::directory(dir).map_err(write)?;
        }
        let mut out = disk::UnfinishedFile::beside(path).map_err(write)?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(0)).map_err(write)?;
        std::io::copy(&mut *file, &mut out).map_err(write)?;
        out.keep().map_err(write)
    }
}

#[cfg(test)]
mod tests {
    use flate2::read::MultiGzDecoder;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn line(n: u64) -> String {
        serde_json::to_string(&row(n)).unwrap()
    }

    fn row(n: u64) -> PlannedRow {
        let mut row = PlannedRow::default();
        row.key.insert("id".into(), json!(n.to_string()));
        row
    }

    #[test]
    fn any_page_can_be_read() {
        let mut spool = SpoolFiles.create().unwrap();
        (0..2_500).for_each(|n| spool.push(&line(n)).unwrap());
        let rows = spool.finish().unwrap();
        assert_eq!(rows.len(), 2_500);
        for (from, limit, want) in
            [(0, 3, 3), (998, 5, 5), (2_499, 10, 1), (2_500, 10, 0), (1_000, 1_500, 1_500)]
        {
            let page = rows.page(from, limit).unwrap();
            assert_eq!(page.len(), want, "{from}");
            assert!(page.iter().zip(from..).all(|(r, n)| *r == row(n)));
        }
    }

    #[test]
    fn a_name_that_a_killed_process_left_is_in_nobody_s_way() {
        let of = |n: u64| std::env::temp_dir().join(format!("midwatch-{}-{n}.rows", std::process::id()));
        let left: Vec<PathBuf> = (0..100).map(of).filter(|p| File::create_new(p).is_ok()).collect();
        let made = SpoolFiles.create();
        for path in &left {
            std::fs::remove_file(path).unwrap();
        }
        assert!(made.is_ok(), "{:?}", made.err());
    }

    #[test]
    fn a_saved_copy_is_the_same_and_an_edited_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.json.rows");
        let mut spool = SpoolFiles.create().unwrap();
        (0..1_500).for_each(|n| spool.push(&line(n)).unwrap());
        let rows = spool.finish().unwrap();
        rows.save(&path).unwrap();
        let copy = SpoolFiles.open(&path).unwrap();
        assert_eq!((copy.len(), copy.sha256()), (1_500, rows.sha256()));
        assert_eq!(copy.page(1_200, 5).unwrap(), rows.page(1_200, 5).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 12;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(SpoolFiles.open(&path).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn blocks_give_every_page_back(
            count in prop_oneof![0_u64..20, 990_u64..1_010, 1_990_u64..2_010],
            text in ".{0,12}", from in 0_u64..2_100, limit in 0_usize..1_200,
        ) {
            let row = |n: u64| {
                let mut row = row(n);
                row.show.insert("text".into(), json!(format!("{text}\n{n}")));
                row
            };
            let lines: Vec<String> = (0..count).map(|n| serde_json::to_string(&row(n)).unwrap()).collect();
            let mut spool = SpoolFiles.create().unwrap();
            for line in &lines {
                spool.push(line).unwrap();
            }
            let rows = spool.finish().unwrap();
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("p.json.rows");
            rows.save(&path).unwrap();
            let saved = SpoolFiles.open(&path).unwrap();
            prop_assert_eq!((rows.len(), rows.sha256()), (count, saved.sha256()));
            let expected: Vec<_> = (from..count).take(limit).map(row).collect();
            prop_assert_eq!(&rows.page(from, limit).unwrap(), &expected);
            prop_assert_eq!(&saved.page(from, limit).unwrap(), &expected);
            // And for every other program it is one file of lines; without rows it has no block.
            let mut whole = String::new();
            if count > 0 {
                MultiGzDecoder::new(File::open(&path).unwrap()).read_to_string(&mut whole).unwrap();
            }
            prop_assert_eq!(whole.lines().collect::<Vec<_>>(), lines);
        }
    }
}
