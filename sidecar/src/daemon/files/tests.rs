use std::fs;

use tokio::time::timeout;

use super::*;

/// What never comes fails within this.
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_edit_made_while_the_files_are_named_anew_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("picket.yaml");
    fs::write(&file, "").unwrap();
    let files = BTreeSet::from([file.clone()]);
    let (mut watch, mut news) = FileWatch::start(files.clone()).unwrap();
    for round in 0..20 {
        let next = directory.path().join("next");
        fs::write(&next, round.to_string()).unwrap();
        // Both wake the thread; which of them it sees first is left to chance.
        fs::rename(&next, &file).unwrap();
        watch.follow(files.clone());
        assert_eq!(timeout(DEADLINE, news.recv()).await, Ok(Some(())), "round {round}");
    }
}
