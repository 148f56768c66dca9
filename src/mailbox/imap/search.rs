//! Searching on the server: it has the text, and often an index of it.

use imap_sans::SearchKey;

use super::Imap;
use super::tables;
use crate::ids::{FolderId, ItemNumber};
use crate::mailbox::{MailboxError, SearchIn, Word};

impl Imap {
    /// The items of a folder in which the server finds all of these; `None` where it finds nothing out.
    pub(super) async fn search_words(
        &self,
        folder: FolderId,
        words: Vec<Word>,
    ) -> Result<Option<Vec<ItemNumber>>, MailboxError> {
        let keys: Vec<SearchKey> = words.into_iter().map(key).collect();
        if keys.is_empty() {
            return Ok(None);
        }
        let lock = self.lock(folder);
        let alone = lock.lock().await;
        let (mut session, _) = self.open(folder).await?;
        let found = match session.search(SearchKey::And(keys)).await {
            Ok(found) => found,
            // A server that cannot search so is no reason not to look ourselves.
            Err(error) if !session.link.is_closed() => {
                tracing::debug!(%folder, %error, "the server does not search");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        drop((session, alone));
        self.read(move |tx| {
            let mut items = Vec::new();
            for uid in found.numbers() {
                items.extend(tables::entry(tx, folder, uid)?.and_then(|entry| entry.item));
            }
            Ok(Some(items))
        })
        .await
    }
}

fn key(word: Word) -> SearchKey {
    let Word { text, place } = word;
    match place {
        SearchIn::Anywhere => SearchKey::Text(text),
        SearchIn::Subject => SearchKey::Subject(text),
        SearchIn::From => SearchKey::From(text),
        SearchIn::To => SearchKey::To(text),
        SearchIn::Body => SearchKey::Body(text),
    }
}
