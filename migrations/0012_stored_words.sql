-- Words are kept as PostgreSQL compares them, instead of being made anew of the text for each row that is looked at;
-- and the type is one of the facets, so that the few objects of a rare one are found without a look at all others.
DROP INDEX search_words;
ALTER TABLE search
    ALTER COLUMN facets TYPE text[] USING array_prepend('@type=' || type, facets),
    ADD COLUMN words tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple', text)) STORED;
CREATE INDEX search_words ON search USING gin (words, facets);
UPDATE projections SET version = 2 WHERE name = 'search' AND version = 1;
