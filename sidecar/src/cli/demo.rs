//! `picket demo`: an honest plugin and three rogue ones, real processes on this very kernel.
//!
//! Nothing is staged but the plugins' own wickedness: the same session, gate and watch loop as in `picket exec`.

mod scene;

use clap::Args;
use scene::{Role, Scene};

use super::{
    Output, exit,
    follow::{Event, Fate, Stage},
    narrate::Narrator,
    signals::Signals,
    words,
};
use crate::{
    manifest,
    supervisor::{Exit, Notice},
};

/// The self-test's sandbox, the honest plugin's and one rogue's at a time.
const SANDBOXES: u32 = 4;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How reports are written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("starting the runtime: {error}")),
    };
    match runtime.block_on(play(arguments.output)) {
        Ok(true) => exit::SUCCESS,
        Ok(false) => exit::FAILURE,
        Err(error) => failed(&error),
    }
}

/// True when everything happened that the demo promises.
async fn play(output: Output) -> Result<bool, String> {
    let mut signals =
        Signals::listen().map_err(|error| format!("listening for signals: {error}"))?;
    let mut scene = Scene::set().await.map_err(|error| format!("preparing the demo: {error}"))?;
    let narrator = Narrator::new(output, None).map_err(|error| error.to_string())?;
    let program = super::own_program().map_err(|error| error.to_string())?;
    let mut stage =
        Stage::open(program, SANDBOXES, false, narrator).map_err(|error| error.to_string())?;
    for line in scene.prologue() {
        stage.narrator.story(&line);
    }

    let honest = begin(&mut stage, &mut scene, Role::Honest)?;
    let mut as_promised = true;
    for role in Role::ROGUES {
        stage.narrator.story("");
        stage.narrator.story(&format!("── a rogue that {} ──", role.deed()));
        let rogue = begin(&mut stage, &mut scene, role)?;
        let exit = until_end(&mut stage, &mut scene, &mut signals, rogue).await?;
        let fate = stage.end(rogue).await.map_err(|error| error.to_string())?;
        as_promised &= was_contained(&mut stage, role, exit, fate);
    }
    stage.narrator.story("");
    let exit = until_end(&mut stage, &mut scene, &mut signals, honest).await?;
    let fate = stage.end(honest).await.map_err(|error| error.to_string())?;
    let undisturbed = exit == Exit::Code(0) && fate == Fate::default();
    let text = if undisturbed {
        "the honest plugin finished its work undisturbed".to_owned()
    } else {
        format!("the honest plugin was disturbed: {exit:?}, {fate:?}")
    };
    stage.narrator.story(&text);
    for line in scene.epilogue() {
        stage.narrator.story(&line);
    }
    Ok(as_promised && undisturbed)
}

fn begin(
    stage: &mut Stage,
    scene: &mut Scene,
    role: Role,
) -> Result<picket_engine::SandboxId, String> {
    let manifest = manifest::load(&scene.manifest(role)).map_err(|error| error.to_string())?;
    let launch =
        scene.launch(role).map_err(|error| format!("preparing {}: {error}", role.name()))?;
    stage.start(&manifest, launch).map_err(|error| format!("{}: {error}", role.name()))
}

/// Tells what everybody does until one of them has ended.
async fn until_end(
    stage: &mut Stage,
    scene: &mut Scene,
    signals: &mut Signals,
    id: picket_engine::SandboxId,
) -> Result<Exit, String> {
    if let Some(exit) = scene.early_end(id) {
        return Ok(exit);
    }
    loop {
        tokio::select! {
            event = stage.next() => match event {
                Event::Notice(who, Notice::Exited(exit)) if who == id => return Ok(exit),
                // The honest one may finish while a rogue is on stage.
                Event::Notice(who, Notice::Exited(exit)) => scene.remember_end(who, exit),
                Event::Notice(_, Notice::LauncherLost) => return Err("a launcher was lost".to_owned()),
                Event::Blind => return Err("the watch loop is gone".to_owned()),
                Event::Report(_) | Event::Notice(_, Notice::Unattended) => {}
            },
            Some((role, line)) = scene.next_line() => {
                stage.narrator.said(role.name(), &words::text(line.as_bytes()));
            }
            _ = signals.next() => return Err("interrupted; everything was cleaned up".to_owned()),
        }
    }
}

fn was_contained(stage: &mut Stage, role: Role, exit: Exit, fate: Fate) -> bool {
    let promised =
        fate.contained && fate.killed && fate.frozen_after.is_some() && exit == Exit::Signal(9);
    if !promised {
        let text = format!("{} was not contained as promised: {exit:?}, {fate:?}", role.name());
        stage.narrator.story(&text);
    }
    promised
}

fn failed(message: &str) -> exit::Exit {
    words::error(message);
    exit::FAILURE
}
