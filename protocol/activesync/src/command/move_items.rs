//! MoveItems: a client moves items from folder to folder ([MS-ASCMD] 2.2.1.12).

use wbxml::Tag;

use crate::code_pages::move_items::*;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::Field;
use crate::status::Status;
use crate::types::{CollectionId, ServerId};

/// Asks for items to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The moves, at least one.
    pub moves: Vec<Move>,
}

/// One item to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The item.
    pub src_msg_id: ServerId,
    /// The folder it is in.
    pub src_fld_id: CollectionId,
    /// The folder it is to be in.
    pub dst_fld_id: CollectionId,
}

/// What came of each move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Why there are no answers at all; absent where there are some.
    pub status: Option<Status>,
    /// The answers, in the order of the moves.
    pub responses: Vec<Moved>,
}

/// What came of one move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The item, as the request named it.
    pub src_msg_id: ServerId,
    /// What came of it: [`crate::status::move_items`], where success is 3.
    pub status: Status,
    /// The item's id in its new folder; only on success.
    pub dst_msg_id: Option<ServerId>,
}

impl Document for Request {
    const ROOT: Tag = MOVE_ITEMS;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut moves = Vec::new();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                MOVE if moves.len() == MOVES_MAX => return Err(cursor.over_limit("1000 moves")),
                MOVE => moves.push(Move::read(cursor)?),
                _ => return cursor.misplaced(),
            }
        }
        let some = (!moves.is_empty()).then_some(moves);
        Ok(Self { moves: cursor.required(some, Self::ROOT, MOVE)? })
    }

    fn write(&self, encoder: &mut Encoder) {
        for item in &self.moves {
            encoder.container(MOVE, |encoder| {
                encoder.text(SRC_MSG_ID, &item.src_msg_id);
                encoder.text(SRC_FLD_ID, &item.src_fld_id);
                encoder.text(DST_FLD_ID, &item.dst_fld_id);
            });
        }
    }
}

impl Move {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut src_msg_id, mut src_fld_id, mut dst_fld_id) = (None, None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                SRC_MSG_ID => Field::read(&mut src_msg_id, cursor)?,
                SRC_FLD_ID => Field::read(&mut src_fld_id, cursor)?,
                DST_FLD_ID => Field::read(&mut dst_fld_id, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            src_msg_id: cursor.required(src_msg_id, MOVE, SRC_MSG_ID)?,
            src_fld_id: cursor.required(src_fld_id, MOVE, SRC_FLD_ID)?,
            dst_fld_id: cursor.required(dst_fld_id, MOVE, DST_FLD_ID)?,
        })
    }
}

impl Document for Response {
    const ROOT: Tag = MOVE_ITEMS;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut response = Self::default();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut response.status, cursor)?,
                RESPONSE => response.responses.push(Moved::read(cursor)?),
                _ => return cursor.misplaced(),
            }
        }
        Ok(response)
    }

    fn write(&self, encoder: &mut Encoder) {
        Field::write(&self.status, encoder, STATUS);
        for moved in &self.responses {
            encoder.container(RESPONSE, |encoder| {
                encoder.text(SRC_MSG_ID, &moved.src_msg_id);
                encoder.number(STATUS, moved.status.0);
                encoder.opt_text(DST_MSG_ID, moved.dst_msg_id.as_ref());
            });
        }
    }
}

impl Moved {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut src_msg_id, mut status, mut dst_msg_id) = (None, None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                SRC_MSG_ID => Field::read(&mut src_msg_id, cursor)?,
                STATUS => Field::read(&mut status, cursor)?,
                DST_MSG_ID => Field::read(&mut dst_msg_id, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            src_msg_id: cursor.required(src_msg_id, RESPONSE, SRC_MSG_ID)?,
            status: cursor.required(status, RESPONSE, STATUS)?,
            dst_msg_id,
        })
    }
}

/// How many moves one request may have ([MS-ASCMD] 3.1.5.10).
const MOVES_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::error::{Error, Problem};
    use crate::status::{common, move_items};
    use crate::version::ProtocolVersion;

    const V14_0: ProtocolVersion = ProtocolVersion::V14_0;

    fn item(src_msg_id: &str, dst_fld_id: &str) -> Move {
        Move {
            src_msg_id: ServerId::new(src_msg_id).unwrap(),
            src_fld_id: CollectionId::new("1").unwrap(),
            dst_fld_id: CollectionId::new(dst_fld_id).unwrap(),
        }
    }

    fn moved(src_msg_id: &str, status: Status, dst_msg_id: Option<&str>) -> Moved {
        Moved {
            src_msg_id: ServerId::new(src_msg_id).unwrap(),
            status,
            dst_msg_id: dst_msg_id.map(|id| ServerId::new(id).unwrap()),
        }
    }

    #[test]
    fn request_and_response_are_known_answers() {
        both_ways("48", V14_0, Request { moves: vec![item("1:41", "8"), item("1:42", "1")] });
        let responses = vec![
            moved("1:41", move_items::SUCCESS, Some("8:1")),
            moved("1:42", move_items::SAME_FOLDER, None),
        ];
        both_ways("49", V14_0, Response { status: None, responses });
    }

    #[test]
    fn a_failure_of_all_has_no_answers() {
        let status = Some(common::INVALID_XML);
        comes_back(V14_0, &Response { status, responses: vec![] });
    }

    #[test]
    fn a_thousand_moves_are_served_and_no_more() {
        let request = |count| Request { moves: vec![item("1:1", "2"); count] };
        comes_back(V14_0, &request(MOVES_MAX));
        let over = Request::decode(V14_0, &request(MOVES_MAX + 1).encode(V14_0));
        assert!(matches!(over, Err(Error::Limit { .. })));
    }

    #[test]
    fn a_move_has_one_destination() {
        let problem = |destinations: &str| {
            let xml = format!(
                "<MoveItems xmlns='Move'><Move><SrcMsgId>1</SrcMsgId><SrcFldId>1</SrcFldId>\
                 {destinations}</Move></MoveItems>"
            );
            match decoded::<Request>(V14_0, &xml) {
                Err(Error::Schema { problem, .. }) => problem,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(problem(""), Problem::Missing(DST_FLD_ID));
        let two = "<DstFldId>1</DstFldId><DstFldId>2</DstFldId>";
        assert_eq!(problem(two), Problem::Duplicate);
    }
}
