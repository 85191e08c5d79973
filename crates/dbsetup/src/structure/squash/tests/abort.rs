//! A squash that is given up, wherever it and the way back are killed.

use super::*;

/// Takes the way back until the operation `last`, and returns whether it came to its end.
fn undone(project: &Project, last: usize) -> bool {
    let Some(journal) = journal::Journal::read(&project.repo).unwrap() else { return true };
    let mut killed = killed_at(last);
    super::super::abort::undo(&project.repo, &journal, &mut Disk::new(&mut killed)).is_ok()
}

/// Gives up every state of a squash; with `first` there are a structure, a floor and an archive already.
async fn each_state_goes_back(first: bool) {
    let begun = || async {
        let project = Project::new(&PROJECT);
        let made = project.set_up("core").await;
        (project, made)
    };
    let (model, replayed) = begun().await;
    let mut early = any();
    if first {
        let (planned, text) = model.planned(Some("2")).await.unwrap().unwrap();
        assert!(model.commit(&planned, &text, usize::MAX));
        early = text;
    }
    let former = model.tree();
    let (planned, text) = model.planned(None).await.unwrap().unwrap();
    assert!(model.commit(&planned, &text, usize::MAX));
    let wanted = model.tree();
    assert_eq!(abort(&model.repo, &hold(&model.repo).unwrap()).unwrap(), None);
    assert_eq!(model.tree(), wanted, "a squash that is finished is not given up");

    let (mut back, mut forward) = (0, 0);
    for round in 0.. {
        // Each state twice, with two ways back.
        let (last, at) = (round / 2, round * 5 % 23);
        let (project, _) = begun().await;
        if first {
            let planned = project.plan(Some("2")).await.unwrap().unwrap();
            assert!(project.commit(&planned, &early, usize::MAX));
        }
        assert_eq!(project.tree(), former);
        let planned = project.plan(None).await.unwrap().unwrap();
        if project.commit(&planned, &text, last) || project.tree() == wanted {
            break;
        }
        if is_interrupted(&project.repo) && !undone(&project, at) {
            assert_eq!(
                project.set_up("between").await,
                replayed,
                "killed at {last}, and at {at} on the way back"
            );
            let between = project.tree();
            match (at % 2 == 0).then(|| resume(&project.repo, &hold(&project.repo).unwrap())) {
                Some(Ok(Some(_))) => {
                    forward += 1;
                    assert_eq!(project.tree(), wanted, "killed at {last}, turned round at {at}");
                    continue;
                }
                Some(Err(error)) => {
                    assert_eq!(error.kind(), Kind::Undecided);
                    assert!(error.help_text().unwrap().contains("squash --abort"), "{error}");
                    assert_eq!(project.tree(), between);
                }
                // The journal's end was all that was missing, of the way back.
                Some(Ok(None)) | None => {}
            }
            // It dies again and again, each time a little later.
            assert!((1..100).any(|last| undone(&project, last)), "{:#?}", project.tree());
            back += 1;
        } else {
            abort(&project.repo, &hold(&project.repo).unwrap()).unwrap();
        }
        assert_eq!(project.tree(), former, "killed at {last}, and at {at} on the way back");
        assert_eq!(abort(&project.repo, &hold(&project.repo).unwrap()).unwrap(), None);
        assert_eq!(project.tree(), former);
    }
    assert!(back > 5 && forward > 0, "{back} went back, {forward} turned round");
}

#[tokio::test]
async fn wherever_a_squash_is_killed_giving_up_gives_back_every_byte() {
    each_state_goes_back(false).await;
}

#[tokio::test]
async fn a_second_squash_is_given_up_to_what_the_first_one_left() {
    each_state_goes_back(true).await;
}

#[tokio::test]
async fn what_somebody_changed_since_is_never_lost_by_giving_up() {
    let begun = |path: &'static str, text: Option<&'static str>| async move {
        let project = Project::new(&PROJECT);
        project.set_up("core").await;
        let former = project.tree();
        let planned = project.plan(None).await.unwrap().unwrap();
        let enough = (0..).find(|&last| {
            project.commit(&planned, &any(), last);
            is_interrupted(&project.repo)
        });
        // Structure, floor and the first moves.
        let journal = journal::Journal::read(&project.repo).unwrap().unwrap();
        let mut killed = killed_at(14);
        assert!(enough.is_some());
        assert!(apply::finish(&project.repo, &journal, &mut Disk::new(&mut killed)).is_err());
        match text {
            Some(text) => project.write(path, text),
            None => std::fs::remove_file(project.repo.priv_dir.join(path)).unwrap(),
        }
        (project, former)
    };
    for path in ["structure.sql", "structure.floor"] {
        let (project, former) = begun(path, Some("mine")).await;
        let before = project.tree();
        let error = abort(&project.repo, &hold(&project.repo).unwrap()).unwrap_err();
        assert_eq!(error.kind(), Kind::Undecided, "{path}");
        assert!(error.help_text().unwrap().contains(&format!("remove `priv/core/{path}`")), "{error}");
        assert_eq!(project.tree(), before);
        // What the help says.
        std::fs::remove_file(project.repo.priv_dir.join(path)).unwrap();
        assert_eq!(abort(&project.repo, &hold(&project.repo).unwrap()).unwrap().as_deref(), Some("5"));
        assert_eq!(project.tree(), former);
    }
    // An edit goes back with its file.
    let archived = "dumped_migrations/migrations/1_users.up.sql";
    let (project, mut former) = begun(archived, Some("select 7;")).await;
    abort(&project.repo, &hold(&project.repo).unwrap()).unwrap();
    former.insert("migrations/1_users.up.sql".into(), "select 7;".into());
    assert_eq!(project.tree(), former);
    // Another file in the place of one.
    let (project, _) = begun("migrations/1_users.up.sql", Some("select 8;")).await;
    let before = project.tree();
    assert_eq!(abort(&project.repo, &hold(&project.repo).unwrap()).unwrap_err().kind(), Kind::Undecided);
    assert_eq!(project.tree(), before);
    let (project, _) = begun(archived, None).await;
    assert!(
        abort(&project.repo, &hold(&project.repo).unwrap())
            .unwrap_err()
            .help_text()
            .unwrap()
            .contains("git restore")
    );
}
