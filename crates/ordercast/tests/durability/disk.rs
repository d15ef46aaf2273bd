//! A disk that can be filled and that can fail: an ext4 image in a file on a tmpfs of its own size.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

const MIB: u64 = 1 << 20;

/// Unmounted when dropped.
pub struct Disk {
    folder: tempfile::TempDir,
    is_mounted: bool,
}

impl Disk {
    /// `None`, with the reason printed, where nothing may be mounted: without root, for one.
    pub fn mount(memory_mib: u64, image_mib: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("folder");
        let mut disk = Self {
            folder,
            is_mounted: false,
        };
        match disk.make(memory_mib, image_mib) {
            Ok(()) => Some(disk),
            Err(why) => {
                println!("skipped: no disk can be made here: {why}");
                None
            }
        }
    }

    fn make(&mut self, memory_mib: u64, image_mib: u64) -> Result<(), String> {
        for folder in [self.memory(), self.path()] {
            fs::create_dir(folder).map_err(|error| error.to_string())?;
        }
        let size = format!("size={memory_mib}m");
        run(
            "mount",
            &["-t", "tmpfs", "-o", &size, "tmpfs", text(&self.memory())],
        )?;
        let image = File::create(self.image()).map_err(|error| error.to_string())?;
        image
            .set_len(image_mib * MIB)
            .map_err(|error| error.to_string())?;
        // With its journal: without one, ext4 loses what it had synced when a block of its own metadata
        // cannot be written.
        run("mkfs.ext4", &["-q", "-F", text(&self.image())])?;
        self.attach()
    }

    fn attach(&mut self) -> Result<(), String> {
        run(
            "mount",
            &["-o", "loop", text(&self.image()), text(&self.path())],
        )?;
        self.is_mounted = true;
        Ok(())
    }

    fn memory(&self) -> PathBuf {
        self.folder.path().join("memory")
    }

    fn image(&self) -> PathBuf {
        self.memory().join("image")
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// Takes all room; the file that holds it.
    pub fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let mut file = File::create(&path).expect("made");
        let mut size = 64 * 1024;
        while size > 0 {
            if file.write_all(&vec![1; size]).is_err() {
                size /= 2;
            }
        }
        let _ = file.sync_all();
        path
    }

    /// A disk with room behind it; the page cache, which may hold what never came to the disk, is
    /// gone with the mount.
    pub fn heal(&mut self, memory_mib: u64) {
        run("umount", &[text(&self.path())]).expect("unmounted");
        self.is_mounted = false;
        let size = format!("remount,size={memory_mib}m");
        run("mount", &["-o", &size, text(&self.memory())]).expect("more memory");
        // 1: errors were corrected.
        let _ = run("e2fsck", &["-f", "-y", text(&self.image())]);
        self.attach().expect("mounted");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: also when a server that hangs still has it open.
        if self.is_mounted {
            let _ = run("umount", &["--lazy", text(&self.path())]);
        }
        let _ = run("umount", &["--lazy", text(&self.memory())]);
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .env(
            "PATH",
            "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin",
        )
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}
