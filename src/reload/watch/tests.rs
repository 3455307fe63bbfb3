//! Real files saved in every way people and programs save them, seen by events alone and by polling alone.

use super::*;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;
use tokio::time::timeout;

const BOUND: Duration = Duration::from_secs(20);
const DEBOUNCE: Duration = Duration::from_millis(200);

/// How changes are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Events,
    Poll,
}

struct Case {
    folder: TempDir,
    watch: Watch,
}

impl Case {
    /// Follows `name` of a folder made by `prepare`, with what is there acknowledged.
    async fn new(by: By, name: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        // So long that nothing but an event brings a look within the bound.
        let poll = if by == By::Events { BOUND * 10 } else { Duration::from_millis(20) };
        let mut watch = Watch::new(folder.path().join(name), WatchSettings { debounce: DEBOUNCE, poll });
        if by == By::Poll {
            watch.folders = Folders::none();
        }
        let now = watch.digest().await;
        if !now.main.is_absent() {
            watch.acknowledge(&now);
            // Attaches to the folders.
            assert!(timeout(Duration::from_millis(50), watch.next()).await.is_err());
        }
        Self { folder, watch }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn tick(&mut self) -> Tick {
        timeout(BOUND, self.watch.next()).await.expect("a tick in time")
    }

    /// The next tick is for exactly this content, which is acknowledged.
    async fn expect(&mut self, text: &str) {
        let Tick::Changed(digest) = self.tick().await else { panic!("the file is there") };
        assert_eq!(digest.main, content(text), "the tick is for {text:?}");
        self.watch.acknowledge(&digest);
    }

    /// No tick while `time` passes.
    async fn quiet(&mut self, time: Duration) {
        let tick = timeout(time, self.watch.next()).await;
        assert!(tick.is_err(), "{tick:?}");
    }
}

fn content(text: &str) -> Content {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    Content::read(file.path())
}

fn one_file(folder: &Path) {
    fs::write(folder.join("mcp.json"), "old").unwrap();
}

#[tokio::test]
async fn a_file_written_in_steps_gives_one_tick_for_the_whole() {
    for by in [By::Events, By::Poll] {
        let mut case = Case::new(by, "mcp.json", one_file).await;
        let mut file = fs::File::create(case.at("mcp.json")).unwrap();
        let text = "a text that is written in steps of one byte";
        for byte in text.bytes() {
            file.write_all(&[byte]).unwrap();
            case.quiet(Duration::from_millis(5)).await;
        }
        case.expect(text).await;
    }
}

#[tokio::test]
async fn a_file_renamed_over_the_old_one_is_seen() {
    for by in [By::Events, By::Poll] {
        let mut case = Case::new(by, "mcp.json", one_file).await;
        for text in ["new", "newer"] {
            fs::write(case.at("mcp.json.tmp"), text).unwrap();
            fs::rename(case.at("mcp.json.tmp"), case.at("mcp.json")).unwrap();
            case.expect(text).await;
        }
    }
}

#[tokio::test]
async fn a_file_deleted_and_written_again_at_once_is_only_changed() {
    for by in [By::Events, By::Poll] {
        let mut case = Case::new(by, "mcp.json", one_file).await;
        fs::remove_file(case.at("mcp.json")).unwrap();
        case.quiet(Duration::from_millis(50)).await;
        fs::write(case.at("mcp.json"), "new").unwrap();
        case.expect("new").await;
    }
}

#[tokio::test]
async fn a_vanished_file_is_told_once_and_its_return_too() {
    for by in [By::Events, By::Poll] {
        let mut case = Case::new(by, "mcp.json", one_file).await;
        fs::remove_file(case.at("mcp.json")).unwrap();
        assert_eq!(case.tick().await, Tick::Gone);
        case.quiet(DEBOUNCE).await;
        fs::write(case.at("mcp.json"), "old").unwrap();
        case.expect("old").await;
        fs::write(case.at("mcp.json"), " \n").unwrap();
        assert_eq!(case.tick().await, Tick::Empty);
    }
}

#[tokio::test]
async fn a_symlink_that_points_elsewhere_is_followed() {
    for by in [By::Events, By::Poll] {
        let mut case = Case::new(by, "mcp.json", |folder| {
            for name in ["a", "b"] {
                fs::create_dir(folder.join(name)).unwrap();
                fs::write(folder.join(name).join("real.json"), name).unwrap();
            }
            symlink("a/real.json", folder.join("mcp.json")).unwrap();
        })
        .await;
        symlink("b/real.json", case.at("link")).unwrap();
        fs::rename(case.at("link"), case.at("mcp.json")).unwrap();
        case.expect("b").await;
        // The new target is followed from now on.
        fs::write(case.at("b/real.json"), "b2").unwrap();
        case.expect("b2").await;
    }
}

#[tokio::test]
async fn a_mounted_config_map_is_followed() {
    for by in [By::Events, By::Poll] {
        let mut case = Case::new(by, "mcp.json", |folder| {
            fs::create_dir(folder.join("..1")).unwrap();
            fs::write(folder.join("..1/mcp.json"), "one").unwrap();
            symlink("..1", folder.join("..data")).unwrap();
            symlink("..data/mcp.json", folder.join("mcp.json")).unwrap();
        })
        .await;
        for (old, new, text) in [("..1", "..2", "two"), ("..2", "..3", "three")] {
            fs::create_dir(case.at(new)).unwrap();
            fs::write(case.at(new).join("mcp.json"), text).unwrap();
            symlink(new, case.at("..data_tmp")).unwrap();
            fs::rename(case.at("..data_tmp"), case.at("..data")).unwrap();
            fs::remove_dir_all(case.at(old)).unwrap();
            case.expect(text).await;
        }
    }
}

#[tokio::test]
async fn a_folder_that_is_replaced_is_followed() {
    let mut case = Case::new(By::Poll, "conf/mcp.json", |folder| {
        fs::create_dir(folder.join("conf")).unwrap();
        one_file(&folder.join("conf"));
    })
    .await;
    fs::rename(case.at("conf"), case.at("before")).unwrap();
    fs::create_dir(case.at("conf")).unwrap();
    fs::write(case.at("conf/mcp.json"), "new").unwrap();
    case.expect("new").await;
}

#[tokio::test]
async fn known_content_gives_no_tick_however_it_is_saved() {
    for by in [By::Events, By::Poll] {
        let mut case = Case::new(by, "mcp.json", one_file).await;
        fs::write(case.at("mcp.json"), "old").unwrap();
        case.quiet(Duration::from_millis(30)).await;
        fs::write(case.at("tmp"), "old").unwrap();
        fs::rename(case.at("tmp"), case.at("mcp.json")).unwrap();
        case.quiet(DEBOUNCE * 2).await;
        fs::write(case.at("mcp.json"), "new").unwrap();
        case.expect("new").await;
    }
}

#[tokio::test]
async fn many_saves_in_a_row_end_with_the_last() {
    for by in [By::Events, By::Poll] {
        let mut case = Case::new(by, "mcp.json", one_file).await;
        for n in 0..100 {
            fs::write(case.at("mcp.json"), format!("save {n:03}")).unwrap();
            case.quiet(Duration::from_millis(1)).await;
        }
        case.expect("save 099").await;
        case.quiet(DEBOUNCE).await;
    }
}

#[tokio::test]
async fn a_file_in_a_folder_that_does_not_exist_yet_is_found() {
    for by in [By::Events, By::Poll] {
        let mut case = Case::new(by, "not/yet/mcp.json", |_| {}).await;
        assert_eq!(case.tick().await, Tick::Gone);
        fs::create_dir_all(case.at("not/yet")).unwrap();
        fs::write(case.at("not/yet/mcp.json"), "new").unwrap();
        case.expect("new").await;
        fs::write(case.at("not/yet/mcp.json"), "newer").unwrap();
        case.expect("newer").await;
    }
}

#[tokio::test]
async fn a_change_that_leaves_time_and_length_alone_is_found_by_polling() {
    let mut case = Case::new(By::Poll, "mcp.json", one_file).await;
    let before = fs::metadata(case.at("mcp.json")).unwrap().modified().unwrap();
    let mut file = fs::File::options().write(true).open(case.at("mcp.json")).unwrap();
    file.write_all(b"new").unwrap();
    file.set_modified(before).unwrap();
    case.expect("new").await;
}

#[tokio::test]
async fn extra_files_count_from_the_moment_they_are_named() {
    for by in [By::Events, By::Poll] {
        let mut case = Case::new(by, "mcp.json", |folder| {
            one_file(folder);
            fs::create_dir(folder.join("secrets")).unwrap();
            fs::write(folder.join("secrets/env"), "A=1").unwrap();
        })
        .await;
        let extra = case.at("secrets/env");
        case.watch.set_extra_files(vec![extra.clone()]);
        case.quiet(DEBOUNCE * 2).await;
        fs::write(&extra, "A=2").unwrap();
        case.expect("old").await;
        case.quiet(DEBOUNCE * 2).await;
        case.watch.set_extra_files(Vec::new());
        fs::write(&extra, "A=3").unwrap();
        case.quiet(DEBOUNCE * 2).await;
    }
}

#[tokio::test]
async fn asking_gives_a_tick_for_what_is_there() {
    let mut case = Case::new(By::Events, "mcp.json", one_file).await;
    let handle = case.watch.handle();
    handle.poke();
    case.expect("old").await;
    fs::write(case.at("mcp.json"), "new").unwrap();
    handle.poke();
    case.expect("new").await;
    case.quiet(DEBOUNCE * 2).await;
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again() {
    let mut case = Case::new(By::Poll, "mcp.json", one_file).await;
    fs::write(case.at("mcp.json"), "new").unwrap();
    let first = case.tick().await;
    assert!(matches!(first, Tick::Changed(_)));
    assert_eq!(case.tick().await, first);
}

#[tokio::test]
async fn a_pipe_is_never_read() {
    let mut case = Case::new(By::Poll, "mcp.json", |_| {}).await;
    let pipe = case.at("mcp.json");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let Tick::Changed(digest) = case.tick().await else { panic!("whoever loads it says what is wrong") };
    assert_eq!(digest.to_string(), "unreadable");
}
