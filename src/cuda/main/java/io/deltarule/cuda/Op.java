package io.deltarule.cuda;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Output;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.IndexLists;
import io.deltarule.engine.spi.Operand;
import io.deltarule.engine.spi.StepCursor;
import java.util.List;

/**
 * One call of the engine, as data: it is executed at once, or planned with its neighbours when it
 * is recorded.
 */
interface Op {

  /**
   * The matrices that the call writes to.
   *
   * @return all of them
   */
  List<Operand<CudaBlock>> results();

  /**
   * The matrices that the call reads or writes to.
   *
   * @return all of them
   */
  List<Operand<CudaBlock>> operands();

  /** See {@link io.deltarule.engine.Engine#copy}. */
  record Copy(Operand<CudaBlock> from, Operand<CudaBlock> to) implements Op {
    @Override
    public List<Operand<CudaBlock>> results() {
      return List.of(to);
    }

    @Override
    public List<Operand<CudaBlock>> operands() {
      return List.of(from, to);
    }
  }

  /** See {@link io.deltarule.engine.Engine#advance}. */
  record Advance(StepCursor<CudaBlock> cursor) implements Op {
    @Override
    public List<Operand<CudaBlock>> results() {
      return List.of();
    }

    @Override
    public List<Operand<CudaBlock>> operands() {
      return List.of();
    }
  }

  /** See {@link io.deltarule.engine.Engine#gather}. */
  record Gather(
      Operand<CudaBlock> data,
      IndexLists<CudaBlock> rows,
      StepCursor<CudaBlock> at,
      Operand<CudaBlock> batch)
      implements Op {
    @Override
    public List<Operand<CudaBlock>> results() {
      return List.of(batch);
    }

    @Override
    public List<Operand<CudaBlock>> operands() {
      return List.of(data, batch);
    }
  }

  /** See {@link io.deltarule.engine.Engine#forward}. */
  record Forward(
      Operand<CudaBlock> x,
      Operand<CudaBlock> w,
      Operand<CudaBlock> b,
      Activation f,
      Operand<CudaBlock> saved,
      Operand<CudaBlock> a)
      implements Op {
    @Override
    public List<Operand<CudaBlock>> results() {
      return List.of(saved, a);
    }

    @Override
    public List<Operand<CudaBlock>> operands() {
      return List.of(x, w, b, saved, a);
    }
  }

  /** See {@link io.deltarule.engine.Engine#outputError}. */
  record OutputError(
      Output output,
      Operand<CudaBlock> z,
      Operand<CudaBlock> y,
      Operand<CudaBlock> d,
      Operand<CudaBlock> losses,
      StepCursor<CudaBlock> at)
      implements Op {
    @Override
    public List<Operand<CudaBlock>> results() {
      return List.of(d, losses);
    }

    @Override
    public List<Operand<CudaBlock>> operands() {
      return List.of(z, y, d, losses);
    }
  }

  /** See {@link io.deltarule.engine.Engine#propagate}. */
  record Propagate(
      Operand<CudaBlock> d,
      Operand<CudaBlock> w,
      Activation f,
      Operand<CudaBlock> saved,
      Operand<CudaBlock> e)
      implements Op {
    @Override
    public List<Operand<CudaBlock>> results() {
      return List.of(e);
    }

    @Override
    public List<Operand<CudaBlock>> operands() {
      return List.of(d, w, saved, e);
    }
  }

  /** See {@link io.deltarule.engine.Engine#gradients}. */
  record Gradients(
      Operand<CudaBlock> d, Operand<CudaBlock> a, Operand<CudaBlock> dw, Operand<CudaBlock> db)
      implements Op {
    @Override
    public List<Operand<CudaBlock>> results() {
      return List.of(dw, db);
    }

    @Override
    public List<Operand<CudaBlock>> operands() {
      return List.of(d, a, dw, db);
    }
  }

  /** See {@link io.deltarule.engine.Engine#update}. */
  record Update(
      UpdateRule rule,
      Operand<CudaBlock> theta,
      Operand<CudaBlock> gradient,
      Operand<CudaBlock> state,
      Operand<CudaBlock> schedule,
      StepCursor<CudaBlock> at)
      implements Op {
    @Override
    public List<Operand<CudaBlock>> results() {
      return List.of(theta, state);
    }

    @Override
    public List<Operand<CudaBlock>> operands() {
      return List.of(theta, gradient, state, schedule);
    }
  }
}
