package io.deltarule.engine;

import java.util.List;

/**
 * A device that backpropagates through stacks of dense layers: an arena of matrices, and the
 * equations of backpropagation on them. It knows nothing of files, epochs or data sets.
 *
 * <p>Samples are rows: a mini-batch X is [m x n(l-1)], the weights W of a layer are [n(l) x
 * n(l-1)], its biases b are [1 x n(l)]. All numbers are 32-bit floats, row-major without gaps. One
 * call computes one equation:
 *
 * <table>
 * <caption>The equations on rows; (.) is element by element, ' is transposition</caption>
 * <tr><th>call<th>equation
 * <tr><td>{@link #gather}<td>X = data[rows]
 * <tr><td>{@link #forward}<td>A = f(X W' + 1 b')
 * <tr><td>{@link #outputError}<td>D = (link(Z) - Y) / m, and the mean loss
 * <tr><td>{@link #propagate}<td>E = (D W) (.) f'(A)
 * <tr><td>{@link #gradients}<td>dW = D' A, db = D' 1
 * <tr><td>{@link #update}<td>theta = theta - step(dtheta)
 * </table>
 *
 * <p><b>Order.</b> Calls take effect in program order, but need not have finished when they return:
 * an engine may queue them. Arrays passed to {@code write} may be reused at once. Only {@link
 * #read} and {@link #finish} wait.
 *
 * <p><b>Numbers.</b> The same calls give the same bits, whatever the number of threads. NaN stays
 * NaN: in particular {@code f'(NaN)} is NaN, and a product with it too, so that no mask hides one.
 * A batch of no rows is legal: its loss and gradients are zero.
 *
 * <p><b>Errors.</b> A closed engine, and a closed, foreign, overlapping or wrongly shaped matrix
 * are found before anything is queued; the exception (IllegalStateException for the closed engine,
 * otherwise IllegalArgumentException) names the operation and all shapes. What fails on the device
 * is an {@link EngineException}, thrown by the call itself or by a later one that waits.
 *
 * <p><b>Threads.</b> One thread at a time may call an engine; it may use as many as it likes
 * within. Engines do not disturb each other, also those of one device, each called by a thread of
 * its own.
 */
public interface Engine extends AutoCloseable {

  /**
   * Offsets of {@link Matrix#slice} that are multiples of this many floats (512 bytes) are as fast
   * as a matrix of its own on every engine.
   */
  int ALIGNMENT = 128;

  /**
   * What this engine is, for reports and model files.
   *
   * @return its name, device and precision
   */
  EngineDescription description();

  /**
   * A new matrix of zeros, owned by this engine and freed with it at the latest.
   *
   * @param name what it holds, for messages
   * @param rows at least 0
   * @param columns at least 0
   * @return the matrix
   * @throws EngineMemoryException if the device has no room for it
   */
  Matrix allocate(String name, int rows, int columns);

  /**
   * New lists of row numbers, one list a row, all 0 at first.
   *
   * @param name what they number, for messages
   * @param rows the number of lists
   * @param columns the length of each list
   * @param bound above which no number lies: the rows of the smallest matrix to gather from
   * @return the lists
   * @throws EngineMemoryException if the device has no room for them
   */
  Indices allocateIndices(String name, int rows, int columns, int bound);

  /**
   * A new cursor at 0: the number of the current step, kept on the device.
   *
   * @param name what it counts, for messages
   * @return the cursor
   */
  Cursor allocateCursor(String name);

  /**
   * Copies numbers to the device.
   *
   * @param to the matrix to fill
   * @param values as many as the matrix has, row-major; free for reuse on return
   */
  void write(Matrix to, float[] values);

  /**
   * Copies row numbers to the device.
   *
   * @param to the lists to fill
   * @param values as many as there are, each from 0 to {@code to.bound() - 1}
   */
  void write(Indices to, int[] values);

  /**
   * Waits for the calls before it, then copies numbers from the device.
   *
   * @param from the matrix
   * @param values as long as the matrix is large
   */
  void read(Matrix from, float[] values);

  /**
   * Copies on the device.
   *
   * @param from the source
   * @param to a matrix of the same shape
   */
  void copy(Matrix from, Matrix to);

  /**
   * Moves a cursor.
   *
   * @param cursor to move
   * @param position at least 0
   */
  void set(Cursor cursor, int position);

  /**
   * Moves a cursor on by one.
   *
   * @param cursor to move, not at {@link Integer#MAX_VALUE}
   */
  void advance(Cursor cursor);

  /**
   * Gathers a mini-batch from data that lives on the device: {@code batch[i] = data[rows[at][i]]}.
   *
   * @param data [any x n], with at least {@code rows.bound()} rows
   * @param rows the lists of row numbers
   * @param at which list
   * @param batch [m x n], m at most the length of a list; the first m numbers of it are used
   */
  void gather(Matrix data, Indices rows, Cursor at, Matrix batch);

  /**
   * The forward pass through one layer: {@code A = f(Z)} with {@code Z = X W' + 1 b'}.
   *
   * @param x the layer's inputs X [m x k]
   * @param w its weights W [n x k]
   * @param b its biases b [1 x n]
   * @param f its activation; {@link Activation#IDENTITY} for the logits of an output layer
   * @param saved what {@link #propagate} will need [m x n]: {@code a} itself unless {@link
   *     Activation#savesInput()}, otherwise another matrix, which gets Z
   * @param a the activations A [m x n], the result
   */
  void forward(Matrix x, Matrix w, Matrix b, Activation f, Matrix saved, Matrix a);

  /**
   * The error signal of the output layer, from its logits, and the batch's mean loss: {@code D =
   * (link(Z) - Y) / m}. Both are finite for all finite logits, unless the value itself is beyond
   * the range of a float (half the square of 1e20, say). Of infinite logits the loss is
   * unspecified.
   *
   * @param output the link and its loss
   * @param z the logits Z [m x n]
   * @param y the targets Y [m x n]
   * @param d the error signal D [m x n], a result
   * @param losses [any x 1]; its row {@code at} becomes the mean over the m samples of {@link
   *     Output#loss}
   * @param at which row of losses
   */
  void outputError(Output output, Matrix z, Matrix y, Matrix d, Matrix losses, Cursor at);

  /**
   * Propagates the error signal of a layer to the layer below: {@code E = (D W) (.) f'(saved)}.
   *
   * @param d the error signal D of the layer above [m x n]
   * @param w the weights W of the layer above [n x k]
   * @param f the activation of the layer below
   * @param saved what {@link #forward} saved of the layer below [m x k]
   * @param e the error signal E of the layer below [m x k], the result
   */
  void propagate(Matrix d, Matrix w, Activation f, Matrix saved, Matrix e);

  /**
   * The gradients of a layer: {@code dW = D' A}, {@code db = D' 1}. D is already divided by m.
   *
   * @param d the layer's error signal D [m x n]
   * @param a the layer's inputs A [m x k]
   * @param dw the gradient of its weights [n x k], a result
   * @param db the gradient of its biases [1 x n], a result
   */
  void gradients(Matrix d, Matrix a, Matrix dw, Matrix db);

  /**
   * Updates all parameters of a stack in one call.
   *
   * @param rule how
   * @param theta the parameters [1 x p], changed
   * @param gradient their gradients [1 x p]
   * @param state the rule's memory [{@link UpdateRule#stateRows()} x p], changed; zeros before the
   *     first step
   * @param schedule [any x {@link UpdateRule#SCALARS}], a row for each step, see {@link
   *     UpdateRule#scalars}
   * @param at which row of the schedule
   */
  void update(
      UpdateRule rule, Matrix theta, Matrix gradient, Matrix state, Matrix schedule, Cursor at);

  /**
   * Records calls for replay, without executing them: a training step is recorded once and then
   * replayed for each batch, which costs far less than the calls and gives the same bits.
   *
   * @param calls calls of {@code copy}, {@code advance} and the equations on this engine; all
   *     others are refused
   * @return the recording
   */
  default Recording record(Runnable calls) {
    return record(calls, List.of());
  }

  /**
   * Likewise, with scratch matrices: what they hold before and after a replay is nobody's concern,
   * so that an engine need not write what only a look at them would show. Of a training step these
   * are the activations and the error signals.
   *
   * @param calls see {@link #record(Runnable)}; they write to a scratch matrix before they read it
   * @param scratch of this engine; unspecified after a replay
   * @return the recording
   */
  Recording record(Runnable calls, List<Matrix> scratch);

  /** Waits until all calls have finished. */
  void finish();

  /**
   * How much the engine can hold, as far as it knows.
   *
   * @return the bounds
   */
  EngineMemory memory();

  /**
   * The memory that matrices, indices and cursors hold now.
   *
   * @return bytes
   */
  long allocatedBytes();

  /** Waits for the calls, then frees everything. Closing again does nothing. */
  @Override
  void close();
}
