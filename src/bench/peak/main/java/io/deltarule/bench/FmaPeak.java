package io.deltarule.bench;

import java.io.IOException;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The most fused multiply-adds that the processor does: twelve chains of them in the widest
 * vectors, in registers only. More than latency times throughput of any processor so far.
 */
final class FmaPeak {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int CHAINS = 12;
  private static final int WARM_UP = 8; // times until the loop is compiled
  private static final int ROUNDS = 10_000_000;

  private FmaPeak() {}

  /**
   * Measures by turns and prints GFLOP/s.
   *
   * @param arguments threads
   */
  public static void main(String[] arguments) throws IOException {
    int threads = Integer.parseInt(arguments[0]);
    double operations = 2.0 * SPECIES.length() * CHAINS * ROUNDS * threads;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    List<Callable<Float>> work = Collections.nCopies(threads, () -> chains(ROUNDS));
    try {
      for (int i = 0; i < WARM_UP; i++) {
        seconds(pool, work);
      }
      Results.print("version", SPECIES.vectorBitSize() + "-bit vectors");
      Turns.take(line -> Results.print("gflops", operations / seconds(pool, work) * 1e-9));
    } finally {
      pool.shutdown();
    }
  }

  private static double seconds(ExecutorService pool, List<Callable<Float>> work) {
    long from = System.nanoTime();
    float sum = 0;
    try {
      for (Future<Float> result : pool.invokeAll(work)) {
        sum += result.get();
      }
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException(e);
    }
    double took = (System.nanoTime() - from) * 1e-9;
    if (!Float.isFinite(sum)) {
      throw new IllegalStateException("the chains must stay finite, but sum to " + sum);
    }
    return took;
  }

  private static float chains(int rounds) {
    FloatVector x = FloatVector.broadcast(SPECIES, 0.999f);
    FloatVector y = FloatVector.broadcast(SPECIES, 0.001f);
    // Different starts, or the compiler would compute one chain for all.
    FloatVector a = x.mul(1);
    FloatVector b = x.mul(2);
    FloatVector c = x.mul(3);
    FloatVector d = x.mul(4);
    FloatVector e = x.mul(5);
    FloatVector f = x.mul(6);
    FloatVector g = x.mul(7);
    FloatVector h = x.mul(8);
    FloatVector i = x.mul(9);
    FloatVector j = x.mul(10);
    FloatVector k = x.mul(11);
    FloatVector l = x.mul(12);
    for (int r = 0; r < rounds; r++) {
      a = a.fma(x, y);
      b = b.fma(x, y);
      c = c.fma(x, y);
      d = d.fma(x, y);
      e = e.fma(x, y);
      f = f.fma(x, y);
      g = g.fma(x, y);
      h = h.fma(x, y);
      i = i.fma(x, y);
      j = j.fma(x, y);
      k = k.fma(x, y);
      l = l.fma(x, y);
    }
    FloatVector sum = a.add(b).add(c).add(d).add(e).add(f).add(g).add(h).add(i).add(j).add(k);
    return sum.add(l).reduceLanes(VectorOperators.ADD);
  }
}
