"use strict";

/**
 * Makes Azurite keep what it has acknowledged when its process is killed.
 *
 * Azurite holds the metadata of blobs in LokiJS, in memory, and saves all of it every five seconds:
 * a kill -9 in between loses containers and blobs that the client was told are stored. Loaded before
 * Azurite (`node --require`), this module appends each change to a journal as it happens, before the
 * response goes out, and applies the journal when the database is loaded. What a process has written
 * outlives it, so no fsync is called; the loss of power is another matter, as it is for Azurite.
 *
 * A save writes the whole database. The journal is therefore cut where the save begins, and what
 * came before is deleted when the save is on disk. Saves may be rarer than Azurite's own.
 *
 * Relies on LokiJS 1.5: loadJSONObject, saveDatabaseInternal (which serialises synchronously) and the
 * insert, update and delete events of a collection.
 */

const fs = require("fs");
const path = require("path");
const Loki = require("lokijs");

const SAVE_MILLISECONDS = 60000;

/** The journal of one database: numbered files beside it, the last one being written to. */
class Journal {
  constructor(database) {
    this.database = database;
    this.number = Math.max(0, ...this.numbers());
    this.open();
  }

  file(number) {
    return `${this.database}.journal.${number}`;
  }

  /** The numbers of the files that exist, in the order in which they were written. */
  numbers() {
    const prefix = path.basename(this.file(""));
    return fs
      .readdirSync(path.dirname(this.database))
      .filter((name) => name.startsWith(prefix))
      .map((name) => Number(name.slice(prefix.length)))
      .sort((one, other) => one - other);
  }

  open() {
    this.number += 1;
    this.descriptor = fs.openSync(this.file(this.number), "a");
  }

  append(entry) {
    fs.writeSync(this.descriptor, JSON.stringify(entry) + "\n");
  }

  /** Begin a new file; returns the numbers of those that a save that begins now will cover. */
  cut() {
    const covered = this.numbers();
    fs.closeSync(this.descriptor);
    this.open();
    return covered;
  }

  discard(numbers) {
    for (const number of numbers) {
      fs.rmSync(this.file(number), { force: true });
    }
  }

  /** All entries, oldest first. A line that was cut off was never acknowledged. */
  *entries() {
    for (const number of this.numbers()) {
      const lines = fs.readFileSync(this.file(number), "utf8").split("\n");
      lines.pop();
      for (const line of lines) {
        yield JSON.parse(line);
      }
    }
  }
}

/** Apply journal entries to a database as Loki serialises it. Applying one twice changes nothing. */
function replay(entries, database) {
  const collections = new Map();
  for (const collection of database.collections) {
    const documents = new Map(collection.data.map((document) => [document.$loki, document]));
    collections.set(collection.name, { collection, documents });
  }
  for (const { name, id, document } of entries) {
    const known = collections.get(name);
    if (known === undefined) {
      throw new Error(`the journal names a collection that the database has not: ${name}`);
    }
    if (document === undefined) {
      known.documents.delete(id);
    } else {
      known.documents.set(id, document);
      known.collection.maxId = Math.max(known.collection.maxId, id);
    }
  }
  for (const { collection, documents } of collections.values()) {
    collection.data = [...documents.values()];
    collection.idIndex = null;
  }
}

const journals = new WeakMap();

function journalOf(database) {
  if (!journals.has(database)) {
    journals.set(database, new Journal(database.filename));
  }
  return journals.get(database);
}

const { addCollection, autosaveEnable, loadJSONObject, saveDatabaseInternal } = Loki.prototype;

Loki.prototype.addCollection = function (name, options) {
  const known = this.collections.some((collection) => collection.name === name);
  const collection = addCollection.call(this, name, options);
  if (!known) {
    const journal = journalOf(this);
    const put = (document) => journal.append({ name, id: document.$loki, document });
    collection.on("insert", (inserted) => [inserted].flat().forEach(put));
    collection.on("update", put);
    collection.on("delete", (document) => journal.append({ name, id: document.$loki }));
  }
  return collection;
};

Loki.prototype.loadJSONObject = function (database, options) {
  replay(journalOf(this).entries(), database);
  loadJSONObject.call(this, database, options);
  for (const collection of this.collections) {
    collection.ensureId();
    collection.ensureAllIndexes(true);
  }
};

Loki.prototype.saveDatabaseInternal = function (callback) {
  const journal = journalOf(this);
  const covered = journal.cut();
  saveDatabaseInternal.call(this, (error) => {
    if (!error) {
      journal.discard(covered);
    }
    callback(error);
  });
};

Loki.prototype.autosaveEnable = function (options, callback) {
  this.autosaveInterval = SAVE_MILLISECONDS;
  return autosaveEnable.call(this, options, callback);
};
