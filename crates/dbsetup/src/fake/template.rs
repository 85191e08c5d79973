//! Templates of the database in memory.

use super::*;

impl Templates for FakeDatabase {
    fn clone_template<'a>(
        &'a self,
        template: &'a TemplateName,
        _: &'a CreateOptions,
    ) -> BoxFuture<'a, Result<Cloned, DbError>> {
        ready(self.call(|state| {
            if state.exists {
                return Ok(Cloned::Already);
            }
            if let Some(why) = &state.no_templates {
                return Ok(Cloned::Cannot(why.clone()));
            }
            let Some((copied, note)) = state.templates.get(template).cloned() else {
                return Ok(Cloned::NoTemplate);
            };
            state.exists = true;
            (state.effects, state.ledger) = (copied.effects, copied.ledger);
            let Present { ledger, meta, progress } = copied.present;
            (state.has_ledger, state.has_meta, state.has_progress) = (ledger, meta, progress);
            Ok(Cloned::Now(Some(note)))
        }))
    }

    fn keep_template<'a>(
        &'a self,
        template: &'a TemplateName,
        note: &'a TemplateNote,
    ) -> BoxFuture<'a, Result<Kept, DbError>> {
        ready(self.call(|state| {
            if let Some(why) = &state.no_templates {
                return Ok(Kept::Cannot(why.clone()));
            }
            if state.templates.contains_key(template) {
                return Ok(Kept::Already);
            }
            let copied = Copied {
                effects: state.effects.clone(),
                present: Present {
                    ledger: state.has_ledger,
                    meta: state.has_meta,
                    progress: state.has_progress,
                },
                ledger: state.ledger.clone(),
            };
            state.templates.insert(template.clone(), (copied, note.clone()));
            Ok(Kept::Now)
        }))
    }

    fn templates(&self) -> BoxFuture<'_, Result<Vec<TemplateInfo>, DbError>> {
        ready(self.call(|state| {
            let info = |(name, (_, note)): (&TemplateName, &(Copied, TemplateNote))| TemplateInfo {
                name: name.clone(),
                shown: name.to_string(),
                note: Some(note.clone()),
                made: None,
                used: None,
                bytes: None,
                usable: true,
            };
            Ok(state.templates.iter().map(info).collect())
        }))
    }

    fn remove_template<'a>(&'a self, template: &'a TemplateInfo) -> BoxFuture<'a, Result<bool, DbError>> {
        ready(self.call(|state| Ok(state.templates.remove(&template.name).is_some())))
    }
}
