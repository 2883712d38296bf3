//! A local directory where something is in the way: other files, rights, a full disk, what a killed process left.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use windrow_engine::StoreFault;

use crate::stores::{SharedStore, list_names, open_store, retry_until_done};

fn open_directory(path: &Path) -> SharedStore {
    open_store(&format!("file:{}", path.display()))
}

fn assert_refused<T: std::fmt::Debug>(result: Result<T, StoreFault>, part: &str, place: &Path) {
    match result {
        Err(StoreFault::Refused(error)) => {
            let text = error.to_string();
            assert!(text.contains(part) && text.contains(&place.display().to_string()), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_no_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "x").expect("written");
    for root in [file.clone(), file.join("below")] {
        let store = open_directory(&root);
        assert_refused(store.create_object("a/b", Vec::new()), "not a directory", &root);
        assert_refused(store.read_object("a/b"), "not a directory", &root);
        assert_refused(store.list_objects(""), "not a directory", &root);
        assert_refused(store.delete_objects(&["a".to_owned()]), "not a directory", &root);
    }
    let store = open_directory(folder.path());
    assert_refused(store.create_object("file/a", Vec::new()), "not a directory", folder.path());
}

/// File permissions do not bind root: as root, the calls are made by a thread of another user.
#[test]
fn missing_rights_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("closed");
    fs::create_dir(&root).expect("made");
    fs::write(root.join("a"), "x").expect("written");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o000)).expect("closed");
    let calls = || {
        let store = open_directory(&root);
        assert_refused(store.create_object("b", Vec::new()), "permission denied", &root);
        assert_refused(store.create_object("c/d", Vec::new()), "permission denied", &root);
        assert_refused(store.read_object("a"), "permission denied", &root);
        assert_refused(store.list_objects(""), "permission denied", &root);
        assert_refused(store.delete_objects(&["a".to_owned()]), "permission denied", &root);
    };
    std::thread::scope(|threads| {
        let calling = threads.spawn(|| {
            if rustix::process::geteuid().is_root() {
                let unprivileged = rustix::thread::Uid::from_raw(65534);
                rustix::thread::set_thread_res_uid(unprivileged, unprivileged, unprivileged)
                    .expect("root may change its user");
            }
            calls();
        });
        let outcome = calling.join();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).expect("opened");
        outcome.expect("every call is refused");
    });
}

/// A file system of one megabyte, until dropped.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path());
        mount.output().ok()?.status.success().then_some(Self { folder })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

#[test]
fn a_full_disk_fails_until_there_is_space() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: a_full_disk_fails_until_there_is_space needs the right to mount a file system (root)");
        return;
    };
    let store = open_directory(&disk.folder.path().join("checkpoints"));
    store.create_object("p1/a", vec![1; 600_000]).expect("there is space");
    let full = store.create_object("p1/b", vec![2; 600_000]);
    let Err(StoreFault::Failed(error)) = full else { panic!("{full:?}") };
    let text = error.to_string();
    assert!(text.contains("no space left") && text.contains("p1/b"), "{text}");
    assert_eq!(store.read_object("p1/b"), Ok(None), "nothing of it is there");
    assert_eq!(list_names(&store, ""), ["p1/a"]);
    assert_eq!(fs::read_dir(disk.folder.path().join("checkpoints/p1")).expect("listed").count(), 1, "staged files too");
    store.delete_objects(&["p1/a".to_owned()]).expect("deleted");
    store.create_object("p1/b", vec![2; 600_000]).expect("there is space again");
}

/// A file server that does not answer (NFS): each call blocks its thread. Here, objects are pipes, which open only once a
/// writer has opened them.
#[test]
fn calls_fail_soon_while_all_threads_hang() {
    const THREADS: usize = 64;
    let folder = tempfile::tempdir().expect("a folder");
    let store = open_directory(folder.path());
    store.create_object("p1/a", b"a".to_vec()).expect("created");
    let pipe = folder.path().join("p1/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let hanging: Vec<_> = (0..THREADS)
        .map(|_| {
            let store = SharedStore::clone(&store);
            std::thread::spawn(move || store.read_object("p1/pipe").map(drop))
        })
        .collect();
    // A call that gets its thread before the last hanging call may still lose the thread between two of its steps. It then
    // fails late, and for another reason.
    let expected_text = "all 64 threads of the process that read and write there hang";
    let deadline = Instant::now() + Duration::from_secs(300);
    while !store.read_object("p1/a").is_err_and(|fault| fault.to_string().contains(expected_text)) {
        assert!(Instant::now() < deadline, "no call has failed because {expected_text}");
        std::thread::sleep(Duration::from_millis(10));
    }
    let began = Instant::now();
    let second = store.list_objects("p1");
    println!("a call fails after {:?}", began.elapsed());
    assert!(matches!(second, Err(StoreFault::Failed(_))), "{second:?}");

    let writer = File::options().write(true).open(&pipe).expect("it is read");
    hanging.into_iter().for_each(|call| drop(call.join().expect("no panic")));
    drop(writer);
    assert_eq!(retry_until_done(|| store.read_object("p1/a")), Some(b"a".to_vec()));
}

/// What `object_store` leaves when it is killed between staging and linking.
#[test]
fn staged_files_are_no_objects_and_go_when_old() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open_directory(folder.path());
    store.create_object("p1/a", b"a".to_vec()).expect("created");
    store.create_object("p1/b", b"b".to_vec()).expect("created");
    let (old, young, foreign) =
        (folder.path().join("p1/c#1"), folder.path().join("p1/c#2"), folder.path().join("p1/c#x"));
    for path in [&old, &young, &foreign] {
        fs::write(path, "half").expect("written");
    }
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 3600);
    for path in [&old, &foreign] {
        File::options().write(true).open(path).and_then(|file| file.set_modified(long_ago)).expect("aged");
    }
    assert_eq!(store.read_object("p1/c"), Ok(None));
    assert!(!list_names(&store, "").iter().any(|name| name == "p1/c" || name == "p1/c#1" || name == "p1/c#2"));
    store.create_object("p1/c", b"whole".to_vec()).expect("leftovers are not in the way");
    assert_eq!(store.read_object("p1/c"), Ok(Some(b"whole".to_vec())));
    store.delete_objects(&["p1/a".to_owned()]).expect("deleted");
    assert!(!old.exists(), "no process writes it any more");
    assert!(young.exists(), "a process may be writing it");
    assert!(foreign.exists(), "not of our making");
}

#[test]
fn a_directory_taken_away_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("a");
    let store = open_directory(&root);
    store.create_object("p1/a", b"x".to_vec()).expect("created");
    fs::remove_dir_all(&root).expect("taken away");
    assert_eq!(store.list_objects(""), Ok(Vec::new()));
    assert_eq!(store.read_object("p1/a"), Ok(None));
    if let Err(fault) = store.create_object("p1/a", b"y".to_vec()) {
        assert!(matches!(fault, StoreFault::Failed(_)), "{fault:?}");
        store.create_object("p1/a", b"y".to_vec()).expect("made again");
    }
    assert_eq!(store.read_object("p1/a"), Ok(Some(b"y".to_vec())));
}
