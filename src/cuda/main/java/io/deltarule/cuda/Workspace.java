package io.deltarule.cuda;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * The memory that launches need beside their operands. A recording has one of its own, whose
 * addresses stay valid as long as it does; the engine has one for the calls outside of recordings.
 */
final class Workspace implements AutoCloseable {
  private final Memory memory;
  private final boolean recording;
  private final Copies copies;
  private final List<Runnable> releases = new ArrayList<>();
  private final Map<Use, Room> rooms = new EnumMap<>(Use.class);

  /** What memory is for, between two launches or three that follow each other. */
  enum Use {
    /** Sums of the chunks of columns. */
    SUMS,
    /** A product, before what follows it. */
    PRODUCT,
    /** The transpose of a product's left factor. */
    LEFT,
    /** The transpose of its right factor. */
    RIGHT
  }

  private record Room(Address address, long bytes) {}

  /**
   * Nothing yet.
   *
   * @param weights for a recording; null for calls outside of one
   */
  Workspace(Memory memory, WeightCopies weights) {
    this.memory = memory;
    recording = weights != null;
    copies = new Copies(memory, weights);
  }

  Copies copies() {
    return copies;
  }

  /** Memory that the next call for the same use may overwrite. */
  Address room(Use use, long bytes) {
    Room room = rooms.get(use);
    if (room == null || room.bytes < bytes) {
      if (room != null) {
        rooms.remove(use);
        if (recording) { // it may be in use by what was recorded already
          releases.add(() -> memory.free(room.address, room.bytes));
        } else {
          memory.free(room.address, room.bytes);
        }
      }
      rooms.put(use, new Room(memory.raw(bytes), bytes));
    }
    return rooms.get(use).address;
  }

  /** Memory with anything in it, until this is closed. */
  Address allocate(long bytes) {
    Address address = memory.raw(bytes);
    releases.add(() -> memory.free(address, bytes));
    return address;
  }

  @Override
  public void close() {
    releases.forEach(Runnable::run);
    releases.clear();
    rooms.values().forEach(room -> memory.free(room.address, room.bytes));
    rooms.clear();
    copies.close();
  }
}
