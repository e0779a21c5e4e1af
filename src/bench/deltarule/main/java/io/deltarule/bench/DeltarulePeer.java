package io.deltarule.bench;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Engines;
import io.deltarule.engine.Output;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.ResidentBatches;
import io.deltarule.training.Samples;
import io.deltarule.training.Stack;
import io.deltarule.training.TrainingSteps;
import java.util.Arrays;
import java.util.stream.IntStream;

/** The host engine. Its step also gathers the rows of the batch, as the trainer does. */
final class DeltarulePeer implements Peer {
  private Engine engine;
  private UpdateRule rule;
  private double rate;
  private Stack stack;
  private TrainingSteps steps;
  private ResidentBatches batches;
  private long done;

  @Override
  public String version() {
    return "Deltarule, " + engine.description().device();
  }

  @Override
  public void prepare(Task task) {
    engine = Engines.choose("host", EngineOptions.DEFAULT.withThreads(task.threads())).engine();
    rule =
        task.rule() == Rule.SGD ? new UpdateRule.Sgd() : new UpdateRule.Adam(0.9f, 0.999f, 1e-8f);
    rate = task.rate();
    var hidden = Arrays.stream(task.widths(), 1, task.layers()).boxed().toList();
    var output = task.outputs() == 1 ? Output.SIGMOID : Output.SOFTMAX;
    var network = new Network(task.widths()[0], hidden, Activation.RELU, task.outputs(), output);
    var biases = new float[task.layers()][];
    for (int l = 0; l < biases.length; l++) {
      biases[l] = new float[network.units(l)];
    }
    stack = new Stack(engine, network);
    stack.write(new Parameters(network, task.weights(), biases));

    int rows = Task.BATCHES * task.batch();
    var samples =
        new Samples(
            rows,
            network.inputs(),
            joined(task.features()),
            task.outputs(),
            joined(task.targets()));
    steps = new TrainingSteps(engine, stack, rule, task.batch(), Task.BATCHES);
    batches = new ResidentBatches(engine, samples, steps);
    batches.begin(IntStream.range(0, rows).toArray());
  }

  private static float[] joined(float[][] batches) {
    float[] values = new float[batches.length * batches[0].length];
    for (int b = 0; b < batches.length; b++) {
      System.arraycopy(batches[b], 0, values, b * batches[b].length, batches[b].length);
    }
    return values;
  }

  @Override
  public void step(int batch) {
    if (batch == 0) {
      steps.begin(i -> rule.scalars(++done, rate, 0));
    }
    batches.steps(batch, batch + 1);
  }

  @Override
  public float loss() {
    float[] losses = steps.readLosses();
    return losses[losses.length - 1];
  }

  @Override
  public void close() {
    engine.close(); // frees all that it has allocated
  }
}
