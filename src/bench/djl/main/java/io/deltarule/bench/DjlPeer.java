package io.deltarule.bench;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import ai.djl.training.loss.SigmoidBinaryCrossEntropyLoss;
import ai.djl.training.loss.SoftmaxCrossEntropyLoss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;

/** DJL's trainer on its PyTorch engine. */
final class DjlPeer implements Peer {
  private final NDArray[] features = new NDArray[Task.BATCHES];
  private final NDArray[] targets = new NDArray[Task.BATCHES];
  private Trainer trainer;
  private float loss;

  @Override
  public String version() {
    return "DJL %s, PyTorch %s"
        .formatted(Engine.getDjlVersion(), Engine.getEngine("PyTorch").getVersion());
  }

  @Override
  public void prepare(Task task) {
    System.setProperty("ai.djl.pytorch.num_threads", String.valueOf(task.threads()));
    SequentialBlock stack = new SequentialBlock();
    for (int l = 0; l < task.layers(); l++) {
      stack.add(Linear.builder().setUnits(task.widths()[l + 1]).build());
      if (l < task.layers() - 1) {
        stack.add(Activation.reluBlock());
      }
    }
    Model model = Model.newInstance("stack", "PyTorch");
    model.setBlock(stack);
    Loss mean =
        task.outputs() == 1
            ? new SigmoidBinaryCrossEntropyLoss()
            : new SoftmaxCrossEntropyLoss("softmax", 1, -1, false, true);
    Tracker rate = Tracker.fixed(task.rate());
    Optimizer optimizer =
        task.rule() == Rule.SGD
            ? Optimizer.sgd().setLearningRateTracker(rate).build()
            : Optimizer.adam().optLearningRateTracker(rate).build();
    trainer = model.newTrainer(new DefaultTrainingConfig(mean).optOptimizer(optimizer));
    trainer.initialize(new Shape(task.batch(), task.widths()[0]));
    var parameters = stack.getParameters(); // weights and biases in turn
    for (int l = 0; l < task.layers(); l++) {
      parameters.valueAt(2 * l).getArray().set(task.weights()[l]);
    }
    NDManager manager = trainer.getManager();
    for (int b = 0; b < Task.BATCHES; b++) {
      features[b] = manager.create(task.features()[b], new Shape(task.batch(), task.widths()[0]));
      targets[b] = manager.create(task.targets()[b], new Shape(task.batch(), task.outputs()));
    }
  }

  @Override
  public void step(int batch) {
    NDArray x = features[batch];
    NDArray y = targets[batch];
    try (NDManager scope = trainer.getManager().newSubManager()) { // frees the arrays of the step
      scope.tempAttachAll(x, y);
      try (GradientCollector collector = trainer.newGradientCollector()) {
        NDList logits = trainer.forward(new NDList(x));
        NDArray mean = trainer.getLoss().evaluate(new NDList(y), logits);
        collector.backward(mean);
        loss = mean.getFloat();
      }
      trainer.step();
    }
  }

  @Override
  public float loss() {
    return loss;
  }
}
