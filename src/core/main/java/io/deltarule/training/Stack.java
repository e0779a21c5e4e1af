package io.deltarule.training;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * A network on an engine: its parameters in one block, so that one call updates, copies or reads
 * them all, and the passes that compute with them. Owns all that it allocates.
 */
public final class Stack implements AutoCloseable {
  private final Engine engine;
  private final Network network;
  private final List<Matrix> owned = new ArrayList<>();
  private final long[] weightOffsets; // of each layer's W in a parameter block
  private final long[] biasOffsets; // and of its b
  private final int blockSize;
  private final Matrix theta; // [1 x blockSize], all W and b, each at a multiple of ALIGNMENT
  private Matrix gradient; // [1 x blockSize], laid out alike; only once a pass needs it

  /**
   * Allocates the parameters, all zero.
   *
   * @param engine that computes
   * @param network the stack of layers
   */
  public Stack(Engine engine, Network network) {
    this.engine = engine;
    this.network = network;
    weightOffsets = new long[network.layers()];
    biasOffsets = new long[network.layers()];
    long size = blockSize(network, weightOffsets, biasOffsets);
    if (size > Network.MAX_WEIGHTS) {
      throw new IllegalArgumentException(
          "the network %s has %d parameters; more than %d are not supported"
              .formatted(network, network.parameters(), Network.MAX_WEIGHTS));
    }
    blockSize = (int) size;
    theta = allocate("parameters", 1, blockSize);
  }

  /**
   * The elements of a parameter block.
   *
   * @param network the stack of layers
   * @return with the gaps between the layers
   */
  static long blockSize(Network network) {
    return blockSize(network, new long[network.layers()], new long[network.layers()]);
  }

  private static long blockSize(Network network, long[] weightOffsets, long[] biasOffsets) {
    long size = 0;
    for (int l = 0; l < network.layers(); l++) {
      weightOffsets[l] = size;
      size = aligned(size + (long) network.units(l) * network.inputs(l));
      biasOffsets[l] = size;
      size = aligned(size + network.units(l));
    }
    return size;
  }

  private static long aligned(long offset) {
    return (offset + Engine.ALIGNMENT - 1) / Engine.ALIGNMENT * Engine.ALIGNMENT;
  }

  /**
   * The network.
   *
   * @return its description
   */
  public Network network() {
    return network;
  }

  /**
   * All parameters as one matrix.
   *
   * @return [1 x block size], with gaps of zeros between the layers
   */
  public Matrix theta() {
    return theta;
  }

  /**
   * The gradient of all parameters as one matrix, laid out like {@link #theta}.
   *
   * @return [1 x block size]
   */
  public Matrix gradient() {
    if (gradient == null) {
      gradient = allocate("gradient", 1, blockSize);
    }
    return gradient;
  }

  /**
   * Allocates a matrix that is closed with this stack.
   *
   * @param name for messages
   * @param rows of the matrix
   * @param columns of the matrix
   * @return the matrix
   */
  Matrix allocate(String name, int rows, int columns) {
    Matrix matrix = engine.allocate(name, rows, columns);
    owned.add(matrix);
    return matrix;
  }

  /**
   * Allocates a matrix laid out like {@link #theta}.
   *
   * @param name for messages
   * @return [1 x block size]
   */
  Matrix allocateLikeTheta(String name) {
    return allocate(name, 1, blockSize);
  }

  /**
   * W of a layer within a parameter block.
   *
   * @param block {@link #theta} or {@link #gradient}
   * @param layer from 0
   * @return [units x inputs]
   */
  public Matrix weights(Matrix block, int layer) {
    return block.slice(weightOffsets[layer], network.units(layer), network.inputs(layer));
  }

  /**
   * b of a layer within a parameter block.
   *
   * @param block {@link #theta} or {@link #gradient}
   * @param layer from 0
   * @return [1 x units]
   */
  public Matrix biases(Matrix block, int layer) {
    return block.slice(biasOffsets[layer], 1, network.units(layer));
  }

  /**
   * Copies parameters to the engine.
   *
   * @param parameters of this network
   */
  public void write(Parameters parameters) {
    if (!parameters.network().equals(network)) {
      throw new IllegalArgumentException(
          "parameters of " + parameters.network() + " for a stack of " + network);
    }
    float[] block = new float[blockSize];
    for (int l = 0; l < network.layers(); l++) {
      float[] w = parameters.weights()[l];
      float[] b = parameters.biases()[l];
      System.arraycopy(w, 0, block, (int) weightOffsets[l], w.length);
      System.arraycopy(b, 0, block, (int) biasOffsets[l], b.length);
    }
    engine.write(theta, block);
  }

  /**
   * Copies parameters (or gradients) from the engine, after all calls so far.
   *
   * @param from a block laid out like {@link #theta}
   * @return the numbers
   */
  public Parameters read(Matrix from) {
    float[] block = new float[blockSize];
    engine.read(from, block);
    float[][] weights = new float[network.layers()][];
    float[][] biases = new float[network.layers()][];
    for (int l = 0; l < network.layers(); l++) {
      int w = (int) weightOffsets[l];
      int b = (int) biasOffsets[l];
      weights[l] = Arrays.copyOfRange(block, w, w + network.units(l) * network.inputs(l));
      biases[l] = Arrays.copyOfRange(block, b, b + network.units(l));
    }
    return new Parameters(network, weights, biases);
  }

  /**
   * Allocates what a forward pass over some rows needs.
   *
   * @param rows the most rows of a batch
   * @return the pass
   */
  public Pass pass(int rows) {
    return new Pass(rows);
  }

  /** Frees everything. */
  @Override
  public void close() {
    owned.forEach(Matrix::close);
  }

  /** The matrices of a batch on its way through the layers. */
  public final class Pass {
    private final int rows;
    private final Matrix[] saved; // of layer l, [rows x units(l)]
    private final Matrix[] a; // activations A of layer l; the last are the logits Z
    private final Matrix[] w; // [units(l) x inputs(l)]
    private final Matrix[] b; // [1 x units(l)]
    private final Matrix[] d; // error signals D of layer l [rows x units(l)], for training
    private final Matrix[] dw;
    private final Matrix[] db;

    private Pass(int rows) {
      int layers = network.layers();
      this.rows = rows;
      saved = new Matrix[layers];
      a = new Matrix[layers];
      w = new Matrix[layers];
      b = new Matrix[layers];
      d = new Matrix[layers];
      dw = new Matrix[layers];
      db = new Matrix[layers];
      for (int l = 0; l < layers; l++) {
        w[l] = weights(theta, l);
        b[l] = biases(theta, l);
        a[l] = allocate("activations of layer " + l, rows, network.units(l));
        saved[l] =
            activation(l).savesInput()
                ? allocate("pre-activations of layer " + l, rows, network.units(l))
                : a[l];
      }
    }

    /** The same memory for a smaller batch. */
    private Pass(Pass whole, int rows) {
      this.rows = rows;
      saved = top(whole.saved, rows);
      a = top(whole.a, rows);
      d = top(whole.d, rows);
      w = whole.w;
      b = whole.b;
      dw = whole.dw;
      db = whole.db;
    }

    private static Matrix[] top(Matrix[] matrices, int rows) {
      Matrix[] tops = new Matrix[matrices.length];
      for (int l = 0; l < matrices.length; l++) {
        tops[l] = matrices[l] == null ? null : matrices[l].top(rows);
      }
      return tops;
    }

    /**
     * The rows of a batch.
     *
     * @return at least 0
     */
    public int rows() {
      return rows;
    }

    private Activation activation(int layer) {
      return layer == network.layers() - 1 ? Activation.IDENTITY : network.activation();
    }

    /**
     * Allocates what the way back needs.
     *
     * @return this
     */
    public Pass forTraining() {
      for (int l = 0; l < d.length; l++) {
        d[l] = allocate("error signal of layer " + l, rows, network.units(l));
        dw[l] = weights(gradient(), l);
        db[l] = biases(gradient(), l);
      }
      return this;
    }

    /**
     * This pass for a smaller batch, sharing its memory.
     *
     * @param batchRows at most the rows of this pass
     * @return the pass
     */
    public Pass top(int batchRows) {
      return batchRows == rows ? this : new Pass(this, batchRows);
    }

    /**
     * Forward, layer by layer: {@code A = f(X W' + 1 b')}; the last layer gives the logits.
     *
     * @param x the batch [rows x inputs]
     * @return the logits Z [rows x outputs]
     */
    public Matrix forward(Matrix x) {
      for (int l = 0; l < a.length; l++) {
        engine.forward(l == 0 ? x : a[l - 1], w[l], b[l], activation(l), saved[l], a[l]);
      }
      return a[a.length - 1];
    }

    /**
     * Backward, after {@link #forward}: the output error from the logits, then those of the layers
     * below, then the gradients of all layers. They lie in {@link #gradient}.
     *
     * @param x the batch [rows x inputs]
     * @param y its targets [rows x outputs]
     * @param losses see {@link Engine#outputError}
     * @param at row of losses
     */
    public void backward(Matrix x, Matrix y, Matrix losses, Cursor at) {
      outputError(y, losses, at);
      propagate();
      gradients(x);
    }

    /**
     * The error signal of the output layer, from its logits.
     *
     * @param y the targets [rows x outputs]
     * @param losses see {@link Engine#outputError}
     * @param at row of losses
     */
    public void outputError(Matrix y, Matrix losses, Cursor at) {
      int last = a.length - 1;
      engine.outputError(network.output(), a[last], y, d[last], losses, at);
    }

    /** The error signals of all other layers, from the last to the first. */
    public void propagate() {
      for (int l = a.length - 1; l > 0; l--) {
        engine.propagate(d[l], w[l], activation(l - 1), saved[l - 1], d[l - 1]);
      }
    }

    /**
     * The gradients of all layers, from their error signals.
     *
     * @param x the batch [rows x inputs]
     */
    public void gradients(Matrix x) {
      for (int l = 0; l < a.length; l++) {
        engine.gradients(d[l], l == 0 ? x : a[l - 1], dw[l], db[l]);
      }
    }

    /**
     * What only the passes themselves look at, once they are recorded: all but the logits.
     *
     * @param others that are so as well, such as a batch that is gathered in the same recording
     * @return the scratch of {@link Engine#record(Runnable, List)}
     */
    public List<Matrix> scratch(Matrix... others) {
      int last = a.length - 1;
      return Stream.of(
              Arrays.stream(a, 0, last),
              Arrays.stream(saved, 0, last),
              Arrays.stream(d),
              Arrays.stream(others))
          .flatMap(matrices -> matrices)
          .filter(Objects::nonNull)
          .distinct()
          .toList();
    }

    /**
     * The activations of a layer after {@link #forward}.
     *
     * @param layer from 0
     * @return A [rows x units]; the logits for the last layer
     */
    public Matrix activations(int layer) {
      return a[layer];
    }

    /**
     * The error signal of a layer after {@link #backward}.
     *
     * @param layer from 0
     * @return D [rows x units]
     */
    public Matrix error(int layer) {
      return d[layer];
    }
  }
}
