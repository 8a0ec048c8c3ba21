-- What search needs of every object, with the range of positions of the log in which it held.
CREATE TABLE search (
    pid           text    NOT NULL,
    from_position bigint  NOT NULL,  -- the event that made it so
    to_position   bigint,            -- the event that made it otherwise; null: it is so now
    type          text    NOT NULL,
    tombstoned    boolean NOT NULL,
    name          text,              -- what people call it: specimen name or title
    identifier    text,              -- of the physical specimen, or the address of the medium
    text          text    NOT NULL,  -- what is searched for words, without accents, in lower case
    facets        text[]  NOT NULL,  -- 'term=value', sorted
    PRIMARY KEY (pid, from_position)
);
CREATE UNIQUE INDEX search_open ON search (pid) WHERE to_position IS NULL;
CREATE INDEX search_words ON search USING gin (to_tsvector('simple', text), facets);
