//! A Sync that waits for something to say ([MS-ASCMD] 2.2.3.196): woken, it opens its turns again and answers like any other.

use std::sync::Arc;
use std::time::Duration;

use activesync::command::sync::Response;
use activesync::status::sync as status;
use http::StatusCode;

use super::compose::{self, Composed};
use super::request::Wanted;
use super::{Opening, TRIES_MAX, acknowledge, full, open};
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::{Answer, BoxFuture, Waiting};
use crate::eas::hang::Vigil;
use crate::eas::quirks::Behaviour;
use crate::eas::status::Refusal;
use crate::ids::FolderId;
use crate::push::{Ended, Kind};

/// A Sync that hangs.
pub(super) struct Hanging {
    ask: Arc<Ask>,
    wanted: Wanted,
    vigil: Vigil,
    watched: Box<[FolderId]>,
}

impl Hanging {
    /// Listens from now on.
    pub(super) fn new(
        ask: &Arc<Ask>,
        wanted: Wanted,
        opening: &Opening,
        wait: Duration,
    ) -> Hanging {
        let lanes = opening.lanes.iter().map(|lane| lane.folder.id);
        let watched: Box<[FolderId]> =
            lanes.chain(opening.silent.iter().map(|folder| folder.id)).collect();
        let listener = ask.desk.bells.listen(ask.device.id, Kind::Sync, &watched);
        let watching = ask.desk.engine.store.watch(ask.device.mailbox);
        let vigil = Vigil::new(&ask.desk, &ask.device, (listener, watching), wait);
        Hanging { ask: ask.bodiless(), wanted, vigil, watched }
    }

    async fn answer(mut self: Box<Self>) -> Result<Answer, Refusal> {
        if !Box::pin(self.vigil.fresh(&self.watched)).await?.is_empty()
            && let Some(answer) = Box::pin(self.speak(false)).await?
        {
            return Ok(answer);
        }
        loop {
            match self.vigil.ended().await? {
                Ended::Folders(_) => {
                    if let Some(answer) = Box::pin(self.speak(false)).await? {
                        return Ok(answer);
                    }
                }
                Ended::Hierarchy => {
                    let changed = Response::failure(status::FOLDER_HIERARCHY_CHANGED);
                    return Ok(self.ask.plain(&changed));
                }
                Ended::Heartbeat if self.ask.quirks.has(Behaviour::SaysNothingInABody) => {
                    let answer = Box::pin(self.speak(true)).await?;
                    return Ok(answer.unwrap_or_else(|| self.incomplete()));
                }
                // [MS-ASCMD] 2.2.1.21.1: nothing to say is said with nothing; the next command meets what access has become.
                Ended::Heartbeat | Ended::Access | Ended::Superseded | Ended::Stop => {
                    return Ok(nothing());
                }
            }
        }
    }

    /// The answer, if there is one after all, or if there has to be one.
    async fn speak(&self, anyhow: bool) -> Result<Option<Answer>, Refusal> {
        let _turn = self.ask.desk.turn_of(self.ask.device.id).await;
        let mut only_owed = false;
        for _ in 0..TRIES_MAX {
            let mut opening = open(&self.ask, &self.wanted.parts).await?;
            opening.speaks = anyhow;
            if only_owed {
                opening.keep_owed();
            }
            if opening.incomplete {
                return Ok(Some(self.incomplete()));
            }
            match compose::compose(&self.ask, &self.wanted, &mut opening).await {
                Err(why) if why.is_full() => {
                    full(&self.ask, &mut opening, why).await?;
                    only_owed = true;
                }
                Err(why) => return Err(why),
                Ok(Composed::Answer(answer)) => return Ok(Some(answer)),
                Ok(Composed::Nothing) if acknowledge(&self.ask, &opening.turns).await? => {
                    return Ok(None);
                }
                Ok(Composed::Nothing | Composed::Again) => {}
            }
        }
        Err(Refusal::Restless)
    }

    fn incomplete(&self) -> Answer {
        self.ask.plain(&Response::failure(status::INCOMPLETE_REQUEST))
    }
}

impl Waiting for Hanging {
    fn farewell(&self) -> Option<Answer> {
        Some(nothing())
    }

    fn wait(self: Box<Self>) -> BoxFuture<'static, Answer> {
        let ask = self.ask.clone();
        Box::pin(async move {
            match self.answer().await {
                Ok(answer) => answer,
                Err(why) => ask.refuse(&why),
            }
        })
    }
}

fn nothing() -> Answer {
    Answer::empty(StatusCode::OK)
}
