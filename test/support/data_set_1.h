#pragma once

namespace test {

/// The binning of data set 1 of the CaloChallenge as XML, with layers without cells given only by missing
/// ids.
inline constexpr const char* kPhotons = R"(<Bins><Bin pid="22" etaMin="0" etaMax="130" name="photon">
<Layer id="0" r_edges="0,5,10,30,50,100,200,400,600" n_bin_alpha="1"/>
<Layer id="1" r_edges="0,2,4,6,8,10,12,15,20,30,40,50,70,90,120,150,200" n_bin_alpha="10"/>
<Layer id="2" r_edges="0,2,5,10,15,20,25,30,40,50,60,80,100,130,160,200,250,300,350,400" n_bin_alpha="10"/>
<Layer id="3" r_edges="0,50,100,200,400,600" n_bin_alpha="1"/>
<Layer id="12" r_edges="0,100,200,400,1000,2000" n_bin_alpha="1"/>
<Layer id="23" r_edges="0" n_bin_alpha="1"/></Bin></Bins>)";

inline constexpr const char* kPions = R"(<Bins><Bin pid="211" etaMin="0" etaMax="80" name="pion">
<Layer id="0" r_edges="0,5,10,30,50,100,200,400,600" n_bin_alpha="1"/>
<Layer id="1" r_edges="0,1,4,7,10,15,30,50,90,150,200" n_bin_alpha="10"/>
<Layer id="2" r_edges="0,5,10,20,30,50,80,130,200,300,400" n_bin_alpha="10"/>
<Layer id="3" r_edges="0,50,100,200,400,600" n_bin_alpha="1"/>
<Layer id="12" r_edges="0,10,20,30,50,80,100,130,160,200,250,300,350,400,1000,2000" n_bin_alpha="10"/>
<Layer id="13" r_edges="0,10,20,30,50,80,100,130,160,200,250,300,350,400,600,1000,2000" n_bin_alpha="10"/>
<Layer id="14" r_edges="0,50,100,150,200,250,300,400,600,1000,2000" n_bin_alpha="1"/>
<Layer id="23" r_edges="0" n_bin_alpha="1"/></Bin></Bins>)";

}  // namespace test
