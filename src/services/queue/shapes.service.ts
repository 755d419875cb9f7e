import { Injectable } from '@nestjs/common';
import { DatabaseService } from '../database/database.service.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { MAX_SHAPES } from '../../entities/functions/register-shape.js';
import type { NamedShape, StoredShape } from './shape.js';
import { registerShapes, selectShapes, type RegisteredRow } from './shapes.sql.js';

/** A shape that found no room is not tried again for this time. */
const FULL_FOR_MS = 60_000;
const MAX_REMEMBERED = 2 * MAX_SHAPES;
/** The limit for all names together, because a table with hundreds of columns has shape names of kilobytes. */
const MAX_CHARACTERS = 8_000_000;

/** Remembers the shapes of operations. It promises that an id always means the same shape. */
@Injectable()
export class ShapesService {
  private readonly ids = new Map<string, number>();
  private readonly shapes = new Map<number, StoredShape>();
  /** The length of all names in `ids`. */
  private characters = 0;
  private full = new Set<string>();
  private fullSince = 0;

  constructor(private readonly database: DatabaseService) {}

  /** The ids of these shapes, by name. A shape by column is missing when there are already too many shapes. */
  async register(shapes: readonly NamedShape[]): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>();
    const unknown = new Map<string, NamedShape>();
    for (const shape of shapes) {
      const id = this.ids.get(shape.name);
      if (id !== undefined) found.set(shape.name, id);
      else if (!this.isFull(shape.name)) unknown.set(shape.name, shape);
    }
    if (unknown.size === 0) return found;
    const { rows } = await this.database.query<RegisteredRow>(registerShapes([...unknown.values()]));
    for (const { name, id } of rows) {
      if (id !== null) found.set(name, id);
      if (id !== null) this.remember(name, id);
      // The shape of a wide table is tried again each time, because its long name would take too much memory.
      else if (name.length <= 1000) this.full.add(name);
    }
    return found;
  }

  async find(tx: SqlClient, ids: Iterable<number>): Promise<ReadonlyMap<number, StoredShape>> {
    const found = new Map<number, StoredShape>();
    const unknown: number[] = [];
    for (const id of new Set(ids)) {
      const shape = this.shapes.get(id);
      if (shape === undefined) unknown.push(id);
      else found.set(id, shape);
    }
    if (unknown.length === 0) return found;
    const { rows } = await tx.query<StoredShape>(selectShapes(unknown));
    if (this.shapes.size + rows.length > MAX_REMEMBERED) this.shapes.clear();
    for (const shape of rows) {
      found.set(shape.id, shape);
      this.shapes.set(shape.id, shape);
    }
    return found;
  }

  /** These shapes are registered again when they are needed. */
  forget(ids: readonly number[]): void {
    for (const id of ids) this.shapes.delete(id);
    for (const [name, id] of this.ids) if (ids.includes(id)) this.ids.delete(name);
  }

  private remember(name: string, id: number): void {
    this.characters += name.length;
    if (this.ids.size >= MAX_REMEMBERED || this.characters > MAX_CHARACTERS) {
      this.ids.clear();
      this.characters = name.length;
    }
    this.ids.set(name, id);
  }

  private isFull(name: string): boolean {
    if (performance.now() - this.fullSince < FULL_FOR_MS && this.full.size < MAX_REMEMBERED) return this.full.has(name);
    this.full = new Set();
    this.fullSince = performance.now();
    return false;
  }
}
