-- What midwatch itself has applied, by folder and file. Created by the planned operation `init` only.
CREATE SCHEMA midwatch;

CREATE TABLE midwatch.migrations (
  folder     text NOT NULL,
  file       text NOT NULL,
  checksum   text NOT NULL,  -- sha256 of the file's bytes
  normalised text NOT NULL,  -- sha256 of its tokens without comments and blanks: tells a cosmetic edit
  applied_at timestamptz NOT NULL DEFAULT now(),
  applied_by text NOT NULL DEFAULT current_user,
  PRIMARY KEY (folder, file)
);
