#include "calo/infer/detail/convolution.h"
#include "calo/infer/operators.h"

namespace calo::infer {

void add_convolution_operators(OperatorTable& table) {
  for (const bool transposed : {false, true})
    table[transposed ? "ConvTranspose" : "Conv"] = [transposed](const OnnxNode& node,
                                                                std::int64_t) -> Operator {
      return [convolution = Convolution(node, transposed)](OperatorCall& call) {
        convolution.run(call, nullptr);
      };
    };
}

}  // namespace calo::infer
