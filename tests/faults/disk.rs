//! A file system that is really full: a few megabytes of memory, mounted, as the tablespace of the before-images.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::PathBuf;
use std::process::Command;

use crate::case::Case;
use crate::undisturbed;
use crate::world::World;

const PAGE: u64 = 8_192;

/// Unmounted when it goes.
pub(crate) struct Tiny {
    place: PathBuf,
    /// The test's own directory, with the mount in it.
    dir: tempfile::TempDir,
    space: String,
}

impl Tiny {
    /// With room for part of the run; none where this user may not mount.
    pub(crate) async fn mount(world: &World, case: &Case) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("tiny");
        std::fs::create_dir(&place).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&place).output();
        if !mounted.is_ok_and(|m| m.status.success()) {
            return None;
        }
        let space = format!("tiny_{}", world.db);
        let tiny = Self { place, dir, space };
        // The server's user must get there.
        let server = std::fs::metadata(world.rig.server.socket_dir()).unwrap();
        chown(tiny.dir.path(), Some(server.uid()), Some(server.gid())).unwrap();
        chown(&tiny.place, Some(server.uid()), Some(server.gid())).unwrap();
        let data = tiny.place.join("data");
        std::fs::create_dir(&data).unwrap();
        chown(&data, Some(server.uid()), Some(server.gid())).unwrap();
        let mut owner = world.owner().await;
        owner
            .execute(&format!("create tablespace {} location '{}'", tiny.space, data.display()), &[])
            .await
            .unwrap();
        owner
            .execute_script(&format!("alter table midwatch.image_blocks set tablespace {}", tiny.space))
            .await
            .unwrap();
        tiny.fill(world, case).await;
        Some(tiny)
    }

    /// For the first batch no page is left, for a later one two thirds of those that the whole run takes.
    async fn fill(&self, world: &World, case: &Case) {
        let whole = undisturbed::image_pages(world.rig, case.op).await;
        // With its first page a table gets the three of its free space map.
        let map =
            world.value("select (pg_relation_size('midwatch.image_blocks', 'fsm') = 0)::int::text").await;
        let map = 3 * map.parse::<u64>().unwrap();
        let now: u64 =
            world.value("select pg_relation_size('midwatch.image_blocks')::text").await.parse().unwrap();
        let left = if case.batch == Some(1) { 0 } else { ((whole - now / PAGE) * 2 / 3 + map) * PAGE };
        let mut filler = File::create(self.place.join("filler")).unwrap();
        let mut size = 0;
        while let Ok(n @ 1..) = filler.write(&[7; 4_096]) {
            size += n as u64;
        }
        assert!(size > left, "{size}");
        filler.set_len(size - left).unwrap();
    }

    /// What the hint says must be done.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.place.join("filler")).unwrap();
    }

    /// Its tablespace is not needed any more.
    pub(crate) async fn leave(self, world: &World) {
        let mut owner = world.owner().await;
        owner.execute_script("alter table midwatch.image_blocks set tablespace pg_default").await.unwrap();
        owner.execute(&format!("drop tablespace {}", self.space), &[]).await.unwrap();
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        // Lazily: after a failure the server still has files open there.
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}
